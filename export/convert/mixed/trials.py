"""A model with some of its operators quantized and others not, run on held-out examples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.convert.calibrate.calibration import audit_examples
from export.convert.candidates.trials import convert, runnable
from export.convert.mixed.probes.figures import MAX_SNR_DB
from export.convert.mixed.probes.operators import Operator
from export.convert.mixed.report import outcome_of
from export.convert.source import SourceModel
from export.formats.settings import Settings
from export.formats.table import Format
from export.layer_report import Outcome
from export.runtimes.trial import first_outputs
from export.verify.expectation import Expectation
from train.common.errors import ToolkitError

MIN_EXAMPLES = 32
MOST_TRIED, LEAST_TRIED = 100, 16  # operators that are quantized alone: those of most error
TRIED_WEIGHTS = 500_000_000  # weights times operators: each try converts every weight anew
CRASHES = Outcome(accuracy=None, snr_db=-999.0)


@dataclass(kw_only=True)
class MixedTrials:
    """Files of one model that differ in what they leave in float.

    Attributes:
        entry: the format.
        settings: its options, with the one scheme of weights that is used.
        method: how ranges come from the calibration examples.
        source: the model.
        expected: what files are compared with.
        path: where a file is put to be run.
        operators: those that can be quantized, in the order of execution.
        base: names of those that stay in float in any case.
    """

    entry: Format
    settings: Settings
    method: str | None
    source: SourceModel
    expected: Expectation
    path: Path
    operators: tuple[Operator, ...] = ()
    base: frozenset[str] = frozenset()

    def content(self, in_float: Iterable[str]) -> bytes:
        """Returns the file with operators in float, by their names, and those of the base.

        Raises:
            ToolkitError: the converter cannot make it.
        """
        chosen = self.base | frozenset(in_float)
        members = [m for each in self.operators if each.name in chosen for m in each.members]
        settings = replace(self.settings, float_operators=tuple(members))
        return convert(self.entry, settings, self.method, self.source)

    def outputs(
        self, in_float: Iterable[str], inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of such a file, (N, …) by name.

        Raises:
            ToolkitError: it cannot be made, or run.
        """
        scheme = next(iter(self.settings.weight_schemes), None)
        content = runnable(self.content(in_float), scheme, self.settings)
        self.path.write_bytes(content)
        return first_outputs(self.entry.runtime, self.path, inputs)

    def alone(self, operator: Operator) -> Outcome:
        """Returns how good the model is with one operator quantized and no other."""
        return self._outcome(each.name for each in self.operators if each is not operator)

    def none(self) -> Outcome:
        """Returns how good the model is with no operator quantized, only inputs and outputs."""
        return self._outcome(each.name for each in self.operators)

    def left_out(self, operator: Operator) -> Outcome:
        """Returns how good the model is with one operator in float and all others quantized."""
        return self._outcome([operator.name])

    def _outcome(self, in_float: Iterable[str]) -> Outcome:
        """Scores a mixture; one that cannot be made, or run, is as bad as can be."""
        count = max(MIN_EXAMPLES, audit_examples(self.expected.weights))
        some = {name: values[:count] for name, values in self.expected.inputs.items()}
        try:
            return outcome_of(self.outputs(in_float, some), self.expected)
        except ToolkitError:
            return CRASHES


def suspects(
    operators: Iterable[Operator], own_snr_db: Mapping[str, float | None], weights: int
) -> tuple[list[Operator], list[Operator]]:
    """Returns operators by the error that each adds by itself, the largest first.

    Args:
        operators: any.
        own_snr_db: SNR of what each adds by itself, by its name; None or absent: it adds none.
        weights: how many numbers the model's weights hold.

    Returns:
        Those worth being quantized alone, and the others.
    """

    def own(operator: Operator) -> float:
        found = own_snr_db.get(operator.name)
        return MAX_SNR_DB if found is None else found

    ordered = sorted(operators, key=own)
    most = max(LEAST_TRIED, min(MOST_TRIED, TRIED_WEIGHTS // max(1, weights)))
    return ordered[:most], ordered[most:]


def noise_of(outcome: Outcome) -> float:
    """Returns the power of an outcome's error over that of what varies."""
    return float(10 ** (-outcome.snr_db / 10))
