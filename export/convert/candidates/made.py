"""A file that was made and verified, and what is recorded of how it was calibrated."""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from export.convert.calibrate import calibration
from export.convert.candidates.diagnosis import running
from export.convert.candidates.float_size import larger_than_float32
from export.convert.candidates.ranking import Candidate
from export.convert.candidates.trials import Trials
from export.convert.job.inputs import ConversionInputs
from export.convert.job.up_to_date import versions
from export.convert.mixed.report import report_of
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.convert.tflite.file.parts import parts_of
from export.convert.tflite.file.shipped import shipped
from export.formats.settings import Settings
from export.formats.table import Format
from export.layer_report import LayerReport, Mixture
from export.manifest import Calibration, FineTuning, Manifest, Observation, Source, WeightScheme
from export.model.reason import refused
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.expectation import Expectation
from export.verify.file import Verification, verify

Judge = Callable[[Trials, Settings, Candidate], Verification]
CANNOT_AUDIT = "the ranges of its calibration cannot be looked at"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A staged file, its proof, and what is recorded of how it came to be."""

    path: Path
    verification: Verification
    calibration: Calibration | None
    fine_tuning: FineTuning | None = None
    weight_scheme: WeightScheme | None = None
    layers: LayerReport | None = None
    mixture: Mixture | None = None

    def manifest(
        self, entry: Format, settings: Settings, inputs: ConversionInputs, now: datetime
    ) -> Manifest:
        """Returns the manifest of the file; its path is where it will be."""
        record, found, content = inputs.record, self.verification, self.path.read_bytes()
        return Manifest(
            path=record.folder / f"{entry.name}.json",
            format=entry.name,
            runtime=entry.runtime,
            file=self.path.name,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            gzip_bytes=len(gzip.compress(content, mtime=0)),
            source=Source(file=record.file, sha256=record.sha256, accuracy=record.test_accuracy),
            options=inputs.options(settings),
            inputs=found.inputs,
            outputs=found.outputs,
            preprocessing=inputs.preprocessing,
            labels=record.labels,
            calibration=self.calibration,
            checks=found.checks,
            observations=found.observations,
            versions=versions(entry),
            created=now.isoformat(timespec="seconds"),
            operators=found.operators,
            fine_tuning=self.fine_tuning,
            weight_scheme=self.weight_scheme,
            layers=self.layers,
            mixture=self.mixture,
            parts=parts_of(content) if entry.family == "tflite" else None,
        )


def finished(trials: Trials, best: Candidate, judge: Judge | None = None) -> Made | Verification:
    """Verifies a candidate of a format, and looks at its ranges and operators.

    Args:
        trials: of the format.
        best: the candidate.
        judge: verifies the file at the path of the trials, with the settings; None for by all
            held-out examples.

    What is verified is what ships, without the names by which it is looked at afterwards.

    Returns:
        The file, left at the path of the trials; or what was found of a file that failed a check,
        whose runnable form is left there, with its names.

    Raises:
        ToolkitError: its runtime cannot run it, or its ranges cannot be looked at.
    """
    entry, source, expected, path = trials.entry, trials.source, trials.expected, trials.path
    settings = replace(trials.settings, weight_schemes=(best.scheme,) if best.scheme else ())
    path.write_bytes(shipped(best.run_as, entry, settings))
    with running(entry, path, source):
        if judge is None:
            verification = verify(entry, settings, path, expected, best.held_out)
        else:
            verification = judge(trials, settings, best)
    path.write_bytes(best.run_as)  # by the names of its tensors, it is compared and explained
    if verification.failed:
        return verification
    audited = None
    if best.method is not None:
        with refused(f"{entry.name}: {CANNOT_AUDIT}"):
            audited = _audited(trials, settings, best)
    layers = report_of(entry, settings, best.method, best.run_as, verification, source, expected)
    path.write_bytes(shipped(best.content, entry, settings))
    seen = [*larger_than_float32(entry, settings, path, source)]
    if isinstance(layers, Observation):
        seen.append(layers)
        layers = None
    seen = [*verification.observations, *seen]
    return Made(
        path=path,
        verification=replace(verification, observations=tuple(seen)),
        calibration=audited,
        weight_scheme=trials.weight_scheme(best),
        layers=layers,
    )


def _audited(trials: Trials, settings: Settings, best: Candidate) -> Calibration:
    """Returns the record of a file's calibration; what is clipped, by a fold where there are."""
    outside = trials.seen_from_outside(best)
    found = audit(trials.entry, settings, *outside, best.method or "", trials.methods)
    if trials.cross is None:
        return found
    everything = trials.source.representative
    return replace(
        found,
        count=len(everything),
        sha256=everything.sha256,
        examples=everything.examples,
        halves_difference=trials.source.halves_difference(),
        folds=len(trials.cross.folds),
    )


def outputs_of(entry: Format, path: Path, expected: Expectation) -> dict[str, np.ndarray]:
    """Returns a file's outputs, (N, …) by name, on held-out examples."""
    with open_runner(entry.runtime, path, threads=1) as runner:
        return predict(runner, expected.inputs)


def audit(
    entry: Format,
    settings: Settings,
    path: Path,
    source: SourceModel,
    expected: Expectation,
    method: str,
    candidates: dict[str, float],
) -> Calibration:
    """Returns the record of a file's calibration, with what its ranges clip."""
    count = calibration.audit_examples(expected.weights)
    held_out = {name: values[:count] for name, values in expected.inputs.items()}
    clipped = None
    if entry.family == "onnx":
        clipped = calibration.onnx_clipped_share(path, held_out)
    elif not entry.recipes:
        twin = tflite.float_twin(source, entry, settings, method)
        clipped = calibration.tflite_clipped_share(twin, path, held_out)
    return Calibration(
        count=len(source.representative),
        sha256=source.representative.sha256,
        examples=source.representative.examples,
        method=method,
        candidates=candidates,
        clipped_share=clipped,
        halves_difference=source.halves_difference(),
    )
