"""One format: source model → convert → verify, to a staged file."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from export.convert import calibration
from export.convert.candidates import Trials
from export.convert.diagnosis import diagnosis, running
from export.convert.float_size import larger_than_float32
from export.convert.onnx.recurrent.choice import choose, told
from export.convert.recurrent.description import RECURRENT_LAYERS
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.formats import Format
from export.manifest import Calibration, FineTuning, Observation, WeightScheme
from export.model.reason import refused
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.settings import Settings, untuned
from export.verify.expectation import Expectation
from export.verify.file import Verification, verify
from train.common.errors import CheckError, ToolkitError

SIGNIFICANT = 2  # standard errors
CANNOT_AUDIT = "the ranges of its calibration cannot be looked at"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A staged file, its proof, and how it came to be: calibration, fine-tuning, weights."""

    path: Path
    verification: Verification
    calibration: Calibration | None
    fine_tuning: FineTuning | None = None
    weight_scheme: WeightScheme | None = None


def make(
    entry: Format, settings: Settings, source: SourceModel, expected: Expectation, staged: Path
) -> Made:
    """Converts one format to a staged file and verifies it.

    Where recurrent layers can be one operator as well as loops, what does not pass is made the
    other way.

    Where a format can be calibrated, or its weights stored, in several ways, each is tried, and of
    those that pass verification the one with the best score on held-out examples is kept. Of
    several sparsities, or shares of wider weights, the first that passes; while a lower sparsity is
    left to try, no drop of the accuracy is put down to chance. What was trained for quantization is
    kept if that gained more than chance.

    Raises:
        ToolkitError: the converter cannot convert this model.
        CheckError: the file does not do what the model does; the check is named.
    """
    failures = []
    for way in _ways(source, entry, settings):
        try:
            return _make_one_way(entry, way, source, expected, staged)
        except CheckError as error:
            failures.append(error)
    raise failures[0]


def _make_one_way(
    entry: Format, settings: Settings, source: SourceModel, expected: Expectation, staged: Path
) -> Made:
    sparsities: list[tuple[float, ...]] = [(value,) for value in settings.sparsities] or [()]
    shares: list[tuple[float, ...]] = [(share,) for share in settings.int8_shares] or [()]
    attempts = [
        replace(settings, sparsities=sparsity, int8_shares=share)
        for sparsity in sparsities
        for share in shares
    ]
    for attempt in attempts[:-1]:
        try:
            made = _make(entry, attempt, source, expected, staged)
        except CheckError:
            continue
        if not attempt.sparsities or _loses_no_more(made, entry.limits.accuracy_drop):
            return made
    made = _make(entry, attempts[-1], source, expected, staged)
    if entry.recipes == ("qat",):
        return keep_if_better(made, entry, settings, source, expected)
    return made


def _loses_no_more(made: Made, most: float) -> bool:
    """Returns whether no output's accuracy drops by more, 0…1, as it was measured."""
    checks = made.verification.checks
    drops = [check.value for check in checks if check.name.split(":")[0] == "accuracy_drop"]
    return all(float(drop) <= most for drop in drops)


def keep_if_better(
    tuned: Made, entry: Format, settings: Settings, source: SourceModel, expected: Expectation
) -> Made:
    """Returns a fine-tuned file if it is better than the same without fine-tuning, else that one.

    Training moves a model's errors from some examples to others. It is better if fewer are left on
    held-out ones, by two standard errors of the paired difference, which leaves 2 % to chance.
    """
    try:
        plain = make(*untuned(settings), source, expected, source.folder)
    except ToolkitError:
        return tuned
    before, after = (outputs_of(entry, made.path, expected) for made in (plain, tuned))
    scores = [expected.score(outputs) for outputs in (before, after)]
    was, is_right = expected.share_correct(before), expected.share_correct(after)
    error = None
    if was is not None and is_right is not None:
        error = float(np.std(is_right - was) / np.sqrt(len(was)))
    gained = FineTuning(
        before=scores[0],
        after=scores[1],
        standard_error=error,
        kept=scores[1] - scores[0] > SIGNIFICANT * (error or 0),
    )
    if gained.kept:
        return replace(tuned, fine_tuning=gained)
    plain.path.replace(tuned.path)
    return replace(plain, path=tuned.path, fine_tuning=gained)


def _make(
    entry: Format, settings: Settings, source: SourceModel, expected: Expectation, staged: Path
) -> Made:
    path = staged / f"{entry.name}{entry.suffix}"
    trials = Trials(entry=entry, settings=settings, source=source, expected=expected, path=path)
    refusals = trials.refusals
    for best in trials.best_first():
        path.write_bytes(best.run_as)
        try:
            with running(entry, path, source):
                verification = verify(entry, settings, path, expected)
        except ToolkitError as error:
            refusals.append(error)
            continue
        if not verification.failed:
            audited = None
            if best.method is not None:
                with refused(f"{entry.name}: {CANNOT_AUDIT}"):
                    audited = audit(
                        entry, settings, path, best.method, trials.methods, source, expected
                    )
            path.write_bytes(best.content)
            larger = larger_than_float32(entry, settings, path, source)
            seen = (*verification.observations, *larger, *_recurrent(entry, settings, source))
            verification = replace(verification, observations=seen)
            return Made(
                path=path,
                verification=verification,
                calibration=audited,
                weight_scheme=trials.weight_scheme(best),
            )
        why = _diagnosis(entry, settings, path, verification, source, expected)
        reasons = "; ".join([verification.reasons, *why])
        refusals.append(CheckError(f"{entry.name} was not written: {reasons}"))
    failed = [error for error in refusals if isinstance(error, CheckError)]
    raise (failed or refusals)[0]


def _ways(source: SourceModel, entry: Format, settings: Settings) -> list[Settings]:
    """Returns the settings that are tried one after the other."""
    if entry.family != "tflite":
        return [settings]
    return tflite.recurrent_ways(source, entry, settings)


def _recurrent(entry: Format, settings: Settings, source: SourceModel) -> list[Observation]:
    if entry.family == "onnx":
        return told(choose(source.recurrent_layers(), entry, settings.recurrent), entry)
    text = tflite.recurrent_choice(source, entry, settings).text
    return [Observation(name=RECURRENT_LAYERS, value=text)] if text else []


def _diagnosis(
    entry: Format,
    settings: Settings,
    path: Path,
    found: Verification,
    source: SourceModel,
    expected: Expectation,
) -> list[str]:
    """Returns what in the data explains why a file failed; nothing where that cannot be seen."""
    if found.causes:
        return []
    run = partial(outputs_of, entry, path, expected)
    try:
        with refused(f"{entry.name}: {CANNOT_AUDIT}"):
            why = diagnosis(entry, settings, path, found.failed, source, expected, run)
    except ToolkitError:
        return []
    return [why] if why else []


def outputs_of(entry: Format, path: Path, expected: Expectation) -> dict[str, np.ndarray]:
    """Returns a file's outputs, (N, …) by name, on held-out examples."""
    with open_runner(entry.runtime, path, threads=1) as runner:
        return predict(runner, expected.inputs)


def audit(
    entry: Format,
    settings: Settings,
    path: Path,
    method: str,
    candidates: dict[str, float],
    source: SourceModel,
    expected: Expectation,
) -> Calibration:
    """Returns the record of a file's calibration, with what its ranges clip."""
    count = calibration.audit_examples(expected.weights)
    held_out = {name: values[:count] for name, values in expected.inputs.items()}
    clipped = None
    if entry.family == "onnx":
        clipped = calibration.onnx_clipped_share(path, held_out)
    elif not entry.recipes:
        twin = tflite.float_twin(source, entry, settings)
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
