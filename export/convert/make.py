"""One format: source model → convert → verify, to a staged file."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from export.convert.calibrate.folds import CrossValidation
from export.convert.candidates.diagnosis import diagnosis
from export.convert.candidates.few import but_for_few
from export.convert.candidates.made import CANNOT_AUDIT, Judge, Made, finished, outputs_of
from export.convert.candidates.ranking import Candidate
from export.convert.candidates.trials import Trials
from export.convert.mixed.make import make_mixed
from export.convert.onnx.recurrent.choice import choose, told
from export.convert.qat.tune import LEAST_AGREEMENT, tune
from export.convert.recurrent.description import RECURRENT_LAYERS, STATES
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.formats.settings import Settings, untuned
from export.formats.table import Format
from export.manifest import Check, FineTuning, Observation
from export.model.loaded import batch_size
from export.model.reason import refused
from export.model.signature import handed_on
from export.verify.expectation import Expectation
from export.verify.file import Verification
from export.verify.floors import sampling_error
from train.common.errors import CheckError, ToolkitError

SIGNIFICANT = 2  # standard errors


def make(
    entry: Format,
    settings: Settings,
    source: SourceModel,
    expected: Expectation,
    staged: Path,
    cross: CrossValidation | None = None,
) -> Made:
    """Converts one format to a staged file and verifies it.

    Where recurrent layers can be one operator as well as loops, what does not pass is made the
    other way.

    Where a format can be calibrated, or its weights stored, in several ways, each is tried, and of
    those that pass verification the one with the best score on held-out examples is kept. Of
    several sparsities, or shares of wider weights, the first that passes; while a lower sparsity is
    left to try, no drop of the accuracy is put down to chance. What was trained for quantization is
    kept if that gained more than chance. Where examples are few, all calibrate, and files are
    judged by cross-validation.

    Raises:
        ToolkitError: the converter cannot convert this model.
        CheckError: the file does not do what the model does; the check is named.
    """
    cross = cross if entry.calibrated and not (entry.recipes or entry.mixed) else None
    failures = []
    for way in _ways(source, entry, settings):
        try:
            return _make_one_way(entry, way, source, expected, staged, cross)
        except CheckError as error:
            failures.append(error)
    raise failures[0]


def _make_one_way(
    entry: Format,
    settings: Settings,
    source: SourceModel,
    expected: Expectation,
    staged: Path,
    cross: CrossValidation | None,
) -> Made:
    if entry.mixed:
        return make_mixed(entry, settings, source, expected, staged)
    if entry.recipes == ("qat",):
        return _make_tuned(entry, settings, source, expected, staged)
    sparsities: list[tuple[float, ...]] = [(value,) for value in settings.sparsities] or [()]
    shares: list[tuple[float, ...]] = [(share,) for share in settings.int8_shares] or [()]
    attempts = [
        replace(settings, sparsities=sparsity, int8_shares=share)
        for sparsity in sparsities
        for share in shares
    ]
    for attempt in attempts[:-1]:
        try:
            made = _make(entry, attempt, source, expected, staged, cross)
        except CheckError:
            continue
        if not attempt.sparsities or _loses_no_more(made, entry.limits.accuracy_drop):
            return made
    return _make(entry, attempts[-1], source, expected, staged, cross)


def _loses_no_more(made: Made, most: float) -> bool:
    """Returns whether no output's accuracy drops by more, 0…1, as it was measured."""
    checks = made.verification.checks
    drops = [check.value for check in checks if check.name.split(":")[0] == "accuracy_drop"]
    return all(float(drop) <= most for drop in drops)


def _make_tuned(
    entry: Format, settings: Settings, source: SourceModel, expected: Expectation, staged: Path
) -> Made:
    """Fine-tunes the file of the same format without fine-tuning, whether that passes or not."""
    plain_entry, plain_settings = untuned(settings)
    plain_entry = replace(plain_entry, name=entry.name)
    trials = Trials(
        entry=entry,
        settings=settings,
        source=source,
        expected=expected,
        path=staged / f"{entry.name}{entry.suffix}",
    )
    plain = None
    try:
        plain = make(plain_entry, plain_settings, source, expected, source.folder)
        content = plain.path.read_bytes()
        found = plain.calibration
        method = None if found is None else found.method
        trials.methods = {} if found is None else dict(found.candidates)
    except CheckError:
        others = replace(
            trials,
            entry=plain_entry,
            settings=plain_settings,
            path=source.folder / trials.path.name,
        )
        best = others.best_first()[0]
        content, method, trials.methods = best.content, best.method, others.methods
    tuned = tune(content, source, settings)
    candidate = Candidate(
        method=method,
        scheme=None,
        content=tuned.content,
        run_as=tuned.content,
        score=0,
        operators={},
    )
    made = finished(trials, candidate)
    if not isinstance(made, Made):
        raise _refusal(trials, candidate, made)
    outputs = outputs_of(entry, made.path, expected)
    agreement = tuned.agreement(outputs, expected, batch_size(source.inputs))
    least = LEAST_AGREEMENT - sampling_error(LEAST_AGREEMENT, expected.count)
    check = Check.at_least("simulation_agreement", agreement, least)
    verification = replace(made.verification, checks=(*made.verification.checks, check))
    if not check.passed:
        raise CheckError(f"{entry.name} was not written: {check.reason}")
    seen = (*verification.observations, *_recurrent(entry, settings, source))
    made = replace(made, verification=replace(verification, observations=seen))
    return made if plain is None else keep_if_better(made, plain, entry, expected, agreement)


def keep_if_better(
    tuned: Made, plain: Made, entry: Format, expected: Expectation, agreement: float
) -> Made:
    """Returns a fine-tuned file if it is better than the same without fine-tuning, else that one.

    Training moves a model's errors from some examples to others. It is better if fewer are left on
    held-out ones, by two standard errors of the paired difference, which leaves 2 % to chance.

    Args:
        tuned: the fine-tuned file.
        plain: the other one.
        entry: the format.
        expected: the held-out examples.
        agreement: of the fine-tuned file and its simulation.
    """
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
        simulation_agreement=agreement,
    )
    if gained.kept:
        return replace(tuned, fine_tuning=gained)
    plain.path.replace(tuned.path)
    return replace(plain, path=tuned.path, fine_tuning=gained)


def _make(
    entry: Format,
    settings: Settings,
    source: SourceModel,
    expected: Expectation,
    staged: Path,
    cross: CrossValidation | None = None,
) -> Made:
    path = staged / f"{entry.name}{entry.suffix}"
    if cross is not None:
        source, expected = cross.source, cross.expected
    trials = Trials(
        entry=entry, settings=settings, source=source, expected=expected, path=path, cross=cross
    )
    refusals = trials.refusals
    ranked = trials.best_first()
    unconverted = len(refusals)
    # where all of them fail, one that would do but for a few examples
    tried: list[tuple[Candidate, Judge | None]] = [(each, None) for each in ranked]
    tried += [(each, but_for_few) for each in ranked if each.held_out is not None]
    for each, judge in tried:
        best = trials.cross_validated(each)
        if best is None:
            continue
        try:
            made = finished(trials, best, judge)
        except ToolkitError as error:
            refusals.append(error)
            continue
        if isinstance(made, Made):
            seen = (*made.verification.observations, *_recurrent(entry, settings, source))
            return replace(made, verification=replace(made.verification, observations=seen))
        if judge is None:
            refusals.append(_refusal(trials, best, made))
    failed = [error for error in refusals if isinstance(error, CheckError)]
    raise (failed or refusals[unconverted:] or refusals)[0]


def _refusal(trials: Trials, best: Candidate, found: Verification) -> CheckError:
    """Returns why a file is not written: what failed, and what in the data explains it."""
    reasons = "; ".join([found.reasons, *_diagnosis(trials, best, found)])
    return CheckError(f"{trials.entry.name} was not written: {reasons}")


def _ways(source: SourceModel, entry: Format, settings: Settings) -> list[Settings]:
    """Returns the settings that are tried one after the other."""
    if entry.family != "tflite":
        return [settings]
    return tflite.recurrent_ways(source, entry, settings)


def _recurrent(entry: Format, settings: Settings, source: SourceModel) -> list[Observation]:
    states = handed_on(source.inputs, source.outputs)
    found = [Observation(name=STATES, value=", ".join(states))] if states else []
    if entry.family == "onnx":
        return [*told(choose(source.recurrent_layers(), entry, settings.recurrent), entry), *found]
    text = tflite.recurrent_choice(source, entry, settings).text
    return [*([Observation(name=RECURRENT_LAYERS, value=text)] if text else []), *found]


def _diagnosis(trials: Trials, best: Candidate, found: Verification) -> list[str]:
    """Returns what in the data explains why a file failed; nothing where that cannot be seen."""
    if found.causes:
        return []
    entry, settings = trials.entry, trials.settings
    try:
        with refused(f"{entry.name}: {CANNOT_AUDIT}"):
            path, source, expected = trials.seen_from_outside(best)
            run = partial(outputs_of, entry, path, expected)
            why = diagnosis(entry, settings, path, found.failed, source, expected, run)
    except ToolkitError:
        return []
    return [why] if why else []
