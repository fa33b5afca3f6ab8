"""The search for hidden units and learning rate, by keras-tuner. Heavy.

The state of a search is kept on disk, a folder for each search that differs in anything, so that
one that was cut off can go on and one that is finished is not repeated.
"""

import io
import json
import shutil
import time
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import tensorflow as tf

from train.artifact import content_sha256, write_json
from train.config import (
    DEFAULT_TRIALS,
    LEARNING_RATE_CHOICES,
    RECIPES,
    UNITS_CHOICES,
    Hyperparameters,
    TrainConfig,
)
from train.errors import ToolkitError
from train.model import FitData, build_model, schedule_callbacks
from train.progress import Progress

tf.get_logger().setLevel("ERROR")  # it warns of retracing, but every trial is a new model

TUNING_FOLDER = "tuning"
LOGS_FOLDER = "logs"
FINISHED_FILE = "finished.json"
PATIENCE_EPOCHS = 3
# Trials see this share of the training images: they are there to be compared, not deployed.
SEARCH_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search found: the best hyperparameters and every trial; `reused` if done earlier."""

    best: Hyperparameters
    trials: list[dict[str, Any]]
    reused: bool


class RecipeModel(keras_tuner.HyperModel):
    """Builds and fits a trial with the same recipe as the final fit."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self._config = config

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns a trial's hyperparameters; one that the user gave is not searched."""
        units, rate = self._config.units, self._config.learning_rate
        return Hyperparameters.of(
            RECIPES[self._config.recipe],
            units=hp.Int("units", UNITS_CHOICES[0], UNITS_CHOICES[-1], step=UNITS_CHOICES[0])
            if units is None
            else hp.Fixed("units", units),
            learning_rate=hp.Choice("learning_rate", list(LEARNING_RATE_CHOICES))
            if rate is None
            else hp.Fixed("learning_rate", rate),
        )

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial.

        Its optimizer has its variables already, so that a trial that goes on from an earlier
        one's checkpoint gets the optimizer's state back too; Keras else skips it.
        """
        model = build_model(self.hyperparameters(hp))
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *args: Any,  # keras-tuner's interface
        callbacks: list[keras.callbacks.Callback],
        **kwargs: Any,
    ) -> Any:
        """Fits a trial for the epochs that its tuner grants it, annealed over them."""
        schedule = schedule_callbacks(self.hyperparameters(hp))
        return model.fit(*args, callbacks=[*callbacks, *schedule], **kwargs)


class ReportTrials(keras.callbacks.Callback):
    """Says which trial runs and how it does."""

    def __init__(self, report: Progress, tuner: "Reporting", epochs: int) -> None:
        super().__init__()
        self._report = report
        self._tuner = tuner
        self._epochs = epochs

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReportTrials":
        return self  # keras-tuner copies its callbacks for every trial; this one is shared

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reports one epoch of the running trial."""
        trial = self._tuner.running
        values = trial.hyperparameters.values
        self._report.step(
            f"search: trial {int(trial.trial_id) + 1}, "
            f"{values['units']} units, "
            f"learning rate {values['learning_rate']:g}, "
            f"epoch {epoch + 1}/{values.get('tuner/epochs', self._epochs)}: "
            f"validation accuracy {(logs or {})['val_accuracy']:.2%}"
        )


class Reporting(keras_tuner.Tuner):
    """A tuner that remembers its running trial and how long each trial took."""

    running: Any
    seconds: dict[str, float]

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs a trial as the tuner does."""
        self.running = trial
        started = time.perf_counter()
        result = super().run_trial(trial, *args, **kwargs)
        self.seconds[trial.trial_id] = round(time.perf_counter() - started, 2)
        return result


class Hyperband(Reporting, keras_tuner.Hyperband):
    """Many short trials, the best third of each round goes on for three times as long.

    Li et al. 2018, https://arxiv.org/abs/1603.06560.
    """


class RandomSearch(Reporting, keras_tuner.RandomSearch):
    """Trials at random, each for all epochs (Bergstra & Bengio 2012, JMLR 13:281-305)."""


class BayesianOptimization(Reporting, keras_tuner.BayesianOptimization):
    """Trials where a Gaussian process expects most (Snoek et al. 2012, arXiv:1206.2944)."""


class GridSearch(Reporting, keras_tuner.GridSearch):
    """Every combination in turn, each for all epochs."""

    def reload(self) -> None:
        """Goes on where an earlier process was cut off.

        keras-tuner 1.4.8 forgets the order of the trials, without which it cannot tell the next
        combination, and ends in a KeyError.
        """
        super().reload()
        trials = sorted(self.oracle.trials, key=int)
        for trial in trials:
            self.oracle._ordered_ids.insert(trial)
        if trials and not self.oracle._retry_queue:
            self.oracle._populate_next.append(trials[-1])


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
    if finished.is_file() and not config.overwrite:
        content = json.loads(finished.read_text())
        return Search(
            best=Hyperparameters(**content["best"]), trials=content["trials"], reused=True
        )
    if not config.resume or config.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(logs, ignore_errors=True)
    recipe = RecipeModel(config)
    with redirect_stdout(io.StringIO()):  # it says where it reloads from
        tuner = _tuner(config, recipe, folder)
    tuner.seconds = {}
    callbacks = [
        keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=PATIENCE_EPOCHS),
        keras.callbacks.TensorBoard(logs, write_graph=False),
        ReportTrials(report, tuner, config.search_epochs),
    ]
    arguments = data.first(SEARCH_SHARE).fit_arguments(RECIPES[config.recipe].batch_size)
    if config.tuner != "hyperband":  # which grants its trials their epochs itself
        arguments["epochs"] = config.search_epochs
    try:
        tuner.search(**arguments, callbacks=callbacks)
    except RuntimeError as error:  # too many trials failed; the last line says of what
        reason = str(error).strip().splitlines()[-1]
        raise ToolkitError(
            f"the search stopped because its trials failed ({reason}); mend that, or give "
            "--units and --learning-rate to do without it"
        ) from error
    best = recipe.hyperparameters(tuner.get_best_hyperparameters()[0])
    trials = [
        _trial_record(trial, tuner.seconds, config.search_epochs)
        for trial in sorted(tuner.oracle.trials.values(), key=lambda trial: int(trial.trial_id))
    ]
    _finish(finished, best, trials)
    return Search(best=best, trials=trials, reused=False)


def search_name(config: TrainConfig, data_sha256: str) -> str:
    """Returns a name for a search that no search bears which differs in anything."""
    identity = content_sha256(
        {
            "recipe": asdict(RECIPES[config.recipe]),
            "tuner": config.tuner,
            "trials": config.trials,
            "search_epochs": config.search_epochs,
            "units": config.units,
            "learning_rate": config.learning_rate,
            "seed": config.seed,
            "share": SEARCH_SHARE,
            "data": data_sha256,
        }
    )
    return f"{config.tuner}-{identity[:12]}"


def _tuner(config: TrainConfig, recipe: RecipeModel, folder: Path) -> Any:
    shared: dict[str, Any] = {
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "seed": config.seed,
        "directory": folder.parent,
        "project_name": folder.name,
    }
    if config.tuner == "hyperband":
        return Hyperband(recipe, max_epochs=config.search_epochs, factor=3, **shared)
    trials = config.trials or (None if config.tuner == "grid" else DEFAULT_TRIALS)
    kinds = {"random": RandomSearch, "bayesian": BayesianOptimization, "grid": GridSearch}
    return kinds[config.tuner](recipe, max_trials=trials, **shared)


def _finish(finished: Path, best: Hyperparameters, trials: list[dict[str, Any]]) -> None:
    """Marks a search as finished, then removes its trials' weights, which nobody needs more."""
    temporary = finished.with_suffix(".tmp")
    write_json(temporary, {"best": asdict(best), "trials": trials})
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
