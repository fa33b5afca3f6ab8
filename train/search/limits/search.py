"""Limits → networks that fit → the most accurate of short fits → the best, fitted in full."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from train.common.command.progress import Progress
from train.config import NO_TEACHER, TUNING_FOLDER, FitRequest, TrainConfig
from train.data.fit_data import FitData
from train.fit.final import FinalFit
from train.limits import Kind
from train.recipes.recipe import Hyperparameters
from train.search.limits.in_full import Fitted, InFull, check_accuracy, most_accurate, smallest
from train.search.limits.space.built_in import BuiltIn
from train.search.limits.space.custom import CustomSpace
from train.search.limits.teacher.fitted import Teacher, fitted_teacher
from train.search.limits.teacher.named import named_teacher
from train.search.limits.trials import Trial, folder_of, run_trials
from train.search.limits.weigh.candidates import Space

TRIALS_SHARE = 0.35  # of the time, for short fits; the rest is for those in full
FITS_SHARE = 0.9  # by when these shall be done: export and benchmark follow


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The network that was found.

    Attributes:
        hyperparameters: of the network.
        costs: what it costs.
        final: its fit.
        trials: all short fits, the most accurate first.
        others: the costs of networks that were weighed and not fitted, at least.
        in_full: all fits in full, the answer's first.
        teacher: what taught it; None without one.
    """

    hyperparameters: Hyperparameters
    costs: dict[Kind, float]
    final: FinalFit
    trials: Sequence[Trial]
    others: Sequence[Mapping[Kind, float]]
    in_full: Sequence[Fitted]
    teacher: Teacher | None

    def as_json(self, request: FitRequest) -> dict[str, Any]:
        """Returns the record of the search, part of `model.json`."""
        return {
            "request": asdict(request),
            "costs": dict(self.costs),
            "axis": request.limits.needed[0],
            "not_trained": [costs.get(request.limits.needed[0]) for costs in self.others],
            "trials": [trial.as_json() for trial in self.trials],
            "in_full": [fitted.as_json() for fitted in self.in_full],
            "teacher": None if self.teacher is None else self.teacher.record,
        }


def find(
    config: TrainConfig,
    request: FitRequest,
    data: FitData,
    report: Progress,
    *,
    data_sha256: str,
) -> Answer:
    """Finds the best network within limits, by held-out accuracy, and fits it.

    Args:
        config: the run.
        request: what `--fit` asks for.
        data: what networks are fitted to and judged by.
        report: told of every step.
        data_sha256: the hash of the training images.

    Raises:
        ToolkitError: nothing meets the limits; what came closest is said.
    """
    teacher = teacher_of(config, request, data, report, data_sha256)
    if teacher is not None:
        data = replace(data, taught=teacher.logits)
    started = time.monotonic()
    folder = folder_of(config, request, data_sha256)
    space = space_of(config, request, data)
    trials, others = run_trials(
        config,
        request,
        space,
        data,
        report,
        folder=folder,
        end=started + 60 * request.minutes * TRIALS_SHARE,
        seconds_in_full=60 * request.minutes * (FITS_SHARE - TRIALS_SHARE),
    )
    report.milestone(
        f"search: {len(trials)} networks fitted, the most accurate {trials[0].accuracy:.2%}; "
        f"{'; '.join(request.limits.lines(trials[0].costs))}"
    )
    end = started + 60 * request.minutes * FITS_SHARE
    in_full = InFull(config, space, data, report, folder=folder, data_sha256=data_sha256)
    if request.limits.minimize is None:
        found = most_accurate(trials, in_full, end)
    else:
        found = smallest(trials, request.limits, in_full, end)
    check_accuracy(found, request.limits)
    trial, final = found[0].trial, found[0].final
    return Answer(
        hyperparameters=space.hyperparameters(trial.hp),
        costs=trial.costs,
        final=final,
        trials=trials,
        others=others,
        in_full=found,
        teacher=teacher,
    )


def space_of(config: TrainConfig, request: FitRequest, data: FitData) -> Space:
    """Returns the networks to choose from."""
    if request.space is not None:
        return CustomSpace(request.space, config.learning_rate)
    return BuiltIn(data.mean_input(), config.learning_rate)


def teacher_of(
    config: TrainConfig,
    request: FitRequest,
    data: FitData,
    report: Progress,
    data_sha256: str,
    *,
    waits: bool = False,
) -> Teacher | None:
    """Returns the teacher of a search; None if it shall have none.

    Args:
        config: the run.
        request: which teacher.
        data: what it is fitted to, and asked of.
        report: told of every epoch.
        data_sha256: the hash of the images.
        waits: whether the search's chief makes it, in another process.
    """
    if request.teacher == NO_TEACHER or (request.space is not None and request.teacher is None):
        return None
    folder = config.artifacts / TUNING_FOLDER
    if request.teacher is not None:
        teacher = named_teacher(
            request.teacher,
            folder,
            data,
            int(data.labels.numpy().max()) + 1,
            data_sha256=data_sha256,
            report=report,
            waits=waits,
        )
    else:
        teacher = fitted_teacher(
            folder,
            data,
            seed=config.seed,
            minutes=request.teacher_minutes,
            data_sha256=data_sha256,
            report=report,
            waits=waits,
        )
    report.milestone(f"teacher: held-out accuracy {teacher.record['validation_accuracy']:.2%}")
    return teacher
