"""The search for the width and learning rate, by keras-tuner.

The state of a search is kept on disk, a folder for each search that differs in anything, so that
one that was cut off can go on and one that is finished is not repeated.
"""

import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import keras
import tensorflow as tf

from train.common.command.progress import Progress
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import content_sha256, write_json
from train.common.files.decode import Between, Decoder
from train.common.files.open import MAX_JSON_BYTES, is_there, parse_json, read_bounded
from train.config import LOGS_FOLDER, TUNERS, TUNING_FOLDER, TrainConfig
from train.data.fit_data import FitData
from train.recipes.recipe import MAX_UNITS, Hyperparameters, LearningRate
from train.search import distribute
from train.search.tuners import (
    RecipeModel,
    ReportTrials,
    make_tuner,
)

tf.get_logger().setLevel("ERROR")  # it warns of retracing, but every trial is a new model

FINISHED_FILE = "finished.json"
# Trials see this share of the training images: they are to be compared, not deployed.
SEARCH_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search found: the best hyperparameters and every trial; `reused` if done earlier."""

    best: Hyperparameters
    trials: list[dict[str, Any]]
    reused: bool


def search(config: TrainConfig, data: FitData, report: Progress, *, data_sha256: str) -> Search:
    """Searches what the user left open, by validation accuracy on a share of the training images.

    Args:
        config: the tuner and what is given.
        data: what trials are fitted to and judged by.
        report: told of every epoch.
        data_sha256: the hash of the training images; a search on others is another search.

    Raises:
        ToolkitError: several trials in a row failed, such as on a full disk.
    """
    name = search_name(config, data_sha256)
    folder = config.artifacts / TUNING_FOLDER / name
    logs = config.artifacts / LOGS_FOLDER / name
    finished = folder / FINISHED_FILE
    if is_there(finished) and not config.overwrite:
        return _read(finished, config)
    if config.resume:
        _check_resumes(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(logs, ignore_errors=True)
    with ExitStack() as stack:
        if config.workers:
            stack.enter_context(distribute.chief_here())
        tuner, arguments = prepare(config, data, report, folder, logs)
        if distribute.is_chief():
            own = config.workers and stack.enter_context(
                distribute.Workers(config, report, count=config.workers)
            )
            tuner.serve(own or None)
        else:
            run_tuner(tuner, arguments)
    recipe = tuner.hypermodel
    best = recipe.hyperparameters(tuner.get_best_hyperparameters()[0])
    trials = [
        _trial_record(trial, tuner.seconds, config.search_epochs)
        for trial in sorted(tuner.oracle.trials.values(), key=lambda trial: int(trial.trial_id))
    ]
    _finish(finished, best, trials)
    return Search(best=best, trials=trials, reused=False)


@dataclass(frozen=True, kw_only=True)
class _Best:
    units: Annotated[int, Between(1, MAX_UNITS)]
    learning_rate: LearningRate


@dataclass(frozen=True, kw_only=True)
class _Finished:
    """What `_finish` writes."""

    best: _Best
    trials: tuple[dict[str, Any], ...]


def _read(finished: Path, config: TrainConfig) -> Search:
    try:
        content = parse_json(read_bounded(finished, MAX_JSON_BYTES))
        found = Decoder(remedy="").decode(_Finished, content, str(finished))
    except (OSError, ValueError, ArtifactError) as error:
        raise ArtifactError(
            f"{finished}, what an earlier search found, is corrupt ({error}); search again with "
            "--overwrite"
        ) from error
    best = Hyperparameters(
        units=found.best.units, learning_rate=found.best.learning_rate, recipe=config.recipe
    )
    return Search(best=best, trials=list(found.trials), reused=True)


def _check_resumes(folder: Path) -> None:
    """Refuses to go on with a search where another one was cut off."""
    kinds = tuple(f"{tuner}-" for tuner in TUNERS)
    others = [
        other.name
        for other in folder.parent.glob("*-*")
        if other.name.startswith(kinds) and not (other / FINISHED_FILE).is_file()
    ]
    if others and not folder.is_dir():
        raise ToolkitError(
            f"got --resume, but what was cut off in {folder.parent} is another search "
            f"({', '.join(sorted(others))}); give the options that it had, or leave --resume out"
        )


def search_name(config: TrainConfig, data_sha256: str) -> str:
    """Returns a name for a search; one that differs in anything has another."""
    identity = content_sha256(
        {
            "recipe": asdict(config.recipe),
            "tuner": config.tuner,
            "trials": config.trials,
            "search_epochs": config.search_epochs,
            "units": config.units,
            "learning_rate": config.learning_rate,
            "seed": config.seed,
            "distributed": distribute.is_distributed(config),
            "share": SEARCH_SHARE,
            "data": data_sha256,
        }
    )
    return f"{config.tuner}-{identity[:12]}"


def prepare(
    config: TrainConfig, data: FitData, report: Progress, folder: Path, logs: Path
) -> tuple[Any, dict[str, Any]]:
    """Returns a tuner, with the state that its folder holds, and its search's arguments.

    Raises:
        ArtifactError: that state is corrupt.
    """
    tuner = make_tuner(config, RecipeModel(config, data.mean_input()), folder)
    callbacks = [
        keras.callbacks.TensorBoard(logs, write_graph=False),
        ReportTrials(report, tuner, config.search_epochs),
    ]
    arguments: dict[str, Any] = {"data": data.first(SEARCH_SHARE), "callbacks": callbacks}
    if config.tuner != "hyperband":  # which grants its trials their epochs itself
        arguments["epochs"] = config.search_epochs
    return tuner, arguments


def run_tuner(tuner: Any, arguments: dict[str, Any]) -> None:
    """Runs the trials that a tuner wants.

    Raises:
        ToolkitError: they fail, and why.
    """
    try:
        tuner.search(**arguments)
    except (RuntimeError, OSError, tf.errors.OpError) as error:
        # too many trials failed, and the last line says of what; or its state cannot be written
        reason = str(error).strip().splitlines()[-1]
        raise ToolkitError(
            f"the search stopped because its trials failed ({reason}); fix that, then go on with "
            "--resume"
        ) from error


def _finish(finished: Path, best: Hyperparameters, trials: list[dict[str, Any]]) -> None:
    """Marks a search as finished, then removes its trials' weights."""
    temporary = finished.with_suffix(".tmp")
    tuned = {"units": best.units, "learning_rate": best.learning_rate}
    write_json(temporary, {"best": tuned, "trials": trials})
    temporary.replace(finished)
    for trial in finished.parent.glob("trial_*"):
        shutil.rmtree(trial, ignore_errors=True)


def _trial_record(trial: Any, seconds: dict[str, float], epochs: int) -> dict[str, Any]:
    values = trial.hyperparameters.values
    return {
        "trial": int(trial.trial_id) + 1,
        "units": values["units"],
        "learning_rate": values["learning_rate"],
        "epochs": values.get("tuner/epochs", epochs),
        "initial_epoch": values.get("tuner/initial_epoch", 0),
        "validation_accuracy": trial.score,
        "status": trial.status,
        "seconds": seconds.get(trial.trial_id),
    }
