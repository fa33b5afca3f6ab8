"""The ways in which a format can be made of a model, each tried on held-out examples.

Ranges of activations can come from calibration examples by several methods, and ONNX files can
store weights of 8 bits by several schemes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from export.convert.calibrate.folds import CrossValidation, Fold
from export.convert.candidates.diagnosis import running
from export.convert.candidates.ranking import (
    Candidate,
    best_method_first,
    best_scheme_first,
    most_exact_first,
)
from export.convert.onnx import converter as onnx
from export.convert.onnx.overflow import overflows_here, unsigned_twin
from export.convert.refusal import NoFormatHelpsError
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.data.split import FEW_EXAMPLES
from export.formats.calibration import CORRECTIONS, EQUALIZED, EXTREMES, WIDENED, corrected
from export.formats.settings import SIGNED_WEIGHTS, THIS_CPU, Settings
from export.formats.table import Family, Format
from export.manifest import EVERY_PROCESSOR, WeightScheme
from export.model.reason import refused
from export.runtimes.trial import first_outputs
from export.verify.expectation import Expectation
from export.verify.graph.read import read_graph
from train.common.environment import read_environment
from train.common.errors import ToolkitError

CONVERTERS: dict[Family, ModuleType] = {"tflite": tflite, "onnx": onnx}
# Both converters start from one protobuf with all float32 weights, whatever the format.
# https://protobuf.dev/programming-guides/proto-limits/
MAX_BYTES = 2**31 - 1
FLOAT_BYTES = 4
# Ranges that no correction goes with: of a file with other weights, and wider than values are.
UNCORRECTED = (EQUALIZED, *WIDENED)
EXACT_SUMS = "x86-64 with VNNI and Arm; sums may overflow on others"


@dataclass(kw_only=True)
class Trials:
    """The candidates of one format: their files, scores and refusals.

    Attributes:
        entry: the format.
        settings: its options.
        source: the model.
        expected: what files are compared with.
        path: where a file is put to be run.
        cross: the folds of few examples, whose source and expectation the others are; else None.
        refusals: why some could not be made, or run.
        methods: scores by method, of the best scheme.
        schemes: scores by scheme, of the first method.
    """

    entry: Format
    settings: Settings
    source: SourceModel
    expected: Expectation
    path: Path
    cross: CrossValidation | None = None
    refusals: list[ToolkitError] = field(default_factory=list)
    methods: dict[str, float] = field(default_factory=dict)
    schemes: dict[str, float] = field(default_factory=dict)

    def best_first(self) -> list[Candidate]:
        """Tries the schemes by the first method, then the other methods by the best scheme.

        Returns:
            What could be made and run. Corrections are of files whose ranges err least. A method
            comes before an earlier one only where it is better by more than chance; of equal
            schemes the cheaper one is first.
        """
        methods: Sequence[str | None] = self.settings.calibration_methods or (None,)
        if len(methods) > 1 and len(self.source.representative) > FEW_EXAMPLES:
            methods = [method for method in methods if method not in WIDENED]
        schemes: Sequence[str | None] = self.settings.weight_schemes or (None,)
        made = [found for scheme in schemes if (found := self._try(methods[0], scheme))]
        self.schemes = {found.scheme: found.score for found in made if found.scheme}
        made = best_scheme_first(made, has_vnni=self._has_vnni)
        best = made[0].scheme if made else schemes[0]
        chosen = self._judged(made[:1])
        ranges = [method for method in methods[1:] if method not in CORRECTIONS]
        chosen += self._judged(self._try(method, best) for method in ranges)
        kinds = [found.method for found in most_exact_first(chosen) if found.method]
        kind = next((each for each in kinds if each not in UNCORRECTED), EXTREMES)
        corrections = [method for method in methods[1:] if method in CORRECTIONS]
        chosen += self._judged(self._try(corrected(kind, each), best) for each in corrections)
        if len(methods) > 1:
            self.methods = {found.method: found.score for found in chosen if found.method}
        return [*best_method_first(chosen), *made[1:]]

    def _judged(self, made: Iterable[Candidate | None]) -> list[Candidate]:
        """Returns what could be made, with outputs by cross-validation where examples are few."""
        return [found for each in made if each and (found := self.cross_validated(each))]

    @property
    def _has_vnni(self) -> bool:
        """Whether the processor that the file is for multiplies by signed bytes at once."""
        target = self.settings.target_cpu
        return target == "vnni" or (target == THIS_CPU and not overflows_here())

    def cross_validated(self, made: Candidate) -> Candidate | None:
        """Returns a candidate with outputs on held-out examples, and its score by them.

        Returns:
            The same where no examples were split; None where a file of some of them cannot be made.
        """
        if self.cross is None or made.held_out is not None:
            return made
        outputs = []
        for fold in self.cross.folds:
            trial = replace(self, source=fold.source, expected=fold.expected, cross=None)
            found = trial._made(made.method, made.scheme)
            if found is None:
                return None
            outputs.append(found[1])
        joined = self.cross.joined(outputs)
        score = self._score(joined, in_decibels=made.scheme is not None)
        return replace(made, held_out=joined, score=score, **self._losses(joined))

    def seen_from_outside(self, made: Candidate) -> tuple[Path, SourceModel, Expectation]:
        """Puts a file there that the expected examples did not calibrate, and returns with what.

        Of several folds, that of the one whose outputs are worst.
        """
        if self.cross is None or made.held_out is None:
            return self.path, self.source, self.expected
        held_out = made.held_out

        def score(fold: Fold) -> float:
            found = {name: values[fold.places] for name, values in held_out.items()}
            return fold.expected.score(found)

        worst = min(self.cross.folds, key=score)
        trial = replace(self, source=worst.source, expected=worst.expected, cross=None)
        trial._made(made.method, made.scheme)
        return self.path, worst.source, worst.expected

    def weight_scheme(self, kept: Candidate) -> WeightScheme | None:
        """Returns the record of how the weights of a candidate are stored, and why."""
        target = self.settings.target_cpu
        if kept.scheme is None or target is None:
            return None
        machine = read_environment()
        overflows = overflows_here()
        anywhere = kept.scheme not in SIGNED_WEIGHTS or (overflows and target == THIS_CPU)
        return WeightScheme(
            scheme=kept.scheme,
            candidates=self.schemes,
            target_cpu=target,
            processor=f"{machine.cpu}, {machine.byte_products}",
            sums_overflow=overflows,
            holds_for=EVERY_PROCESSOR if anywhere else EXACT_SUMS,
        )

    def _try(self, method: str | None, scheme: str | None) -> Candidate | None:
        found = self._made(method, scheme)
        if found is None:
            return None
        (content, run_as, operators), outputs = found
        return Candidate(
            method=method,
            scheme=scheme,
            content=content,
            run_as=run_as,
            score=self._score(outputs, in_decibels=scheme is not None),
            operators=operators,
            **self._losses(outputs),
        )

    def _made(
        self, method: str | None, scheme: str | None
    ) -> tuple[tuple[bytes, bytes, Mapping[str, int]], Mapping[str, np.ndarray]] | None:
        """Returns a file, what is run in its place and its operators; and its outputs."""
        settings = replace(self.settings, weight_schemes=(scheme,) if scheme else ())
        try:
            content = convert(self.entry, settings, method, self.source)
            run_as = runnable(content, scheme, settings)
            self.path.write_bytes(run_as)
            with running(self.entry, self.path, self.source):
                outputs = first_outputs(self.entry.runtime, self.path, self.expected.inputs)
                operators = Counter(read_graph(self.path).operators)
        except ToolkitError as error:  # another one may be made by other means
            self.refusals.append(error)
            return None
        return (content, run_as, operators), outputs

    def _losses(self, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Returns what is wrong with each example's outputs, as `Candidate` has it."""
        correct = self.expected.share_correct(outputs)
        wrong = None if correct is None else 1 - correct
        return {"errors": self.expected.errors(outputs), "wrong": wrong}

    def _score(self, outputs: Mapping[str, np.ndarray], *, in_decibels: bool) -> float:
        if not in_decibels:
            return self.expected.score(outputs)
        found = [
            item.centred_snr_db
            for name, item in self.expected.distances(outputs).items()
            if not item.is_constant and not self.expected.is_exact(name)
        ]
        return float(np.mean(found)) if found else self.expected.score(outputs)


def runnable(content: bytes, scheme: str | None, settings: Settings) -> bytes:
    """Returns a file, or what computes here what it computes on the processor that it is for."""
    if scheme in SIGNED_WEIGHTS and settings.target_cpu != THIS_CPU and overflows_here():
        return unsigned_twin(content)
    return content


def convert(entry: Format, settings: Settings, method: str | None, source: SourceModel) -> bytes:
    """Runs the format's converter, its chatter held back.

    Raises:
        ToolkitError: the converter cannot convert this model, and its reason.
    """
    needed = source.weight_count() * FLOAT_BYTES
    if needed > MAX_BYTES:
        raise NoFormatHelpsError(
            f"{entry.name}: got {needed / 1e9:.1f} GB of float32 weights, expected at most "
            f"{MAX_BYTES / 1e9:.1f}, as much as the files hold that TFLite and ONNX converters "
            "work on; split the model"
        )
    with refused(f"{entry.name}: the converter refused the model"):
        content: bytes = CONVERTERS[entry.family].convert(entry, settings, method, source)
    return content
