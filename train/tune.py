"""The search for the width and learning rate, by keras-tuner. Heavy.

The state of a search is kept on disk, a folder for each search that differs in anything, so that
one that was cut off can go on and one that is finished is not repeated.
"""

import io
import json
import shutil
import time
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from train import distribute
from train.artifact import content_sha256, write_json
from train.config import (
    DEFAULT_TRIALS,
    LEARNING_RATE_CHOICES,
    MAX_SEED,
    UNITS_CHOICES,
    Hyperparameters,
    TrainConfig,
)
from train.errors import ArtifactError, ToolkitError
from train.fit import FitData, fit
from train.model import build_model
from train.progress import Progress

tf.get_logger().setLevel("ERROR")  # it warns of retracing, but every trial is a new model

TUNING_FOLDER = "tuning"
LOGS_FOLDER = "logs"
FINISHED_FILE = "finished.json"
PATIENCE_EPOCHS = 3
WORKER_PAUSE_S = 0.05
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
        choices = UNITS_CHOICES[self._config.recipe.architecture]
        return Hyperparameters(
            recipe=self._config.recipe,
            units=hp.Int("units", choices[0], choices[-1], step=choices[1] - choices[0])
            if units is None
            else hp.Fixed("units", units),
            learning_rate=hp.Choice("learning_rate", list(LEARNING_RATE_CHOICES))
            if rate is None
            else hp.Fixed("learning_rate", rate),
        )

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial; the same weights for the same hyperparameters."""
        keras.utils.set_random_seed(self._config.seed)
        return build_model(self.hyperparameters(hp))

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        data: FitData,
        *,
        epochs: int,
        callbacks: list[keras.callbacks.Callback],
        initial_epoch: int = 0,
    ) -> dict[str, float]:
        """Fits a trial for the epochs that its tuner grants it, annealed over them."""
        chosen = self.hyperparameters(hp)
        history = fit(
            model,
            chosen,
            data,
            epochs=epochs,
            seed=self._config.seed,
            first_epoch=initial_epoch,
            callbacks=callbacks,
            patience=PATIENCE_EPOCHS,
        )
        best = int(np.argmax(history["val_accuracy"]))
        return {name: values[best] for name, values in history.items()}


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

    def pre_create_trial(self) -> None:
        """Waits a little before a worker asks again; keras-tuner asks without a pause."""
        if distribute.is_worker():
            time.sleep(WORKER_PAUSE_S)

    def serve(self, workers: distribute.Workers | None) -> None:
        """Hands out trials as the chief, to its own workers or to those of other machines."""
        self.save()
        if workers is None:
            distribute.serve(self.oracle, supervise=lambda: None)
            return
        for name in set(self.oracle.ongoing_trials) - set(workers.names):
            self.oracle._retry_queue.append(self.oracle.ongoing_trials.pop(name).trial_id)
        distribute.serve(self.oracle, workers.supervise)


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
            best=Hyperparameters(**content["best"], recipe=config.recipe),
            trials=content["trials"],
            reused=True,
        )
    if not config.resume or config.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(logs, ignore_errors=True)
    with ExitStack() as stack:
        if config.workers:
            stack.enter_context(distribute.chief_here())
        tuner, arguments = _prepare(config, data, report, folder, logs)
        if distribute.is_chief():
            own = config.workers and stack.enter_context(
                distribute.Workers(config, report, count=config.workers)
            )
            tuner.serve(own or None)
        else:
            _run(tuner, arguments)
    recipe = tuner.hypermodel
    best = recipe.hyperparameters(tuner.get_best_hyperparameters()[0])
    trials = [
        _trial_record(trial, tuner.seconds, config.search_epochs)
        for trial in sorted(tuner.oracle.trials.values(), key=lambda trial: int(trial.trial_id))
    ]
    _finish(finished, best, trials)
    return Search(best=best, trials=trials, reused=False)


def work(config: TrainConfig, data: FitData, report: Progress, *, data_sha256: str) -> None:
    """Runs trials for a chief until it has no more; arguments as of `search`.

    Raises:
        ToolkitError: the chief does another search, or is gone.
    """
    name = search_name(config, data_sha256)
    folder = config.artifacts / TUNING_FOLDER / name
    tuner, arguments = _prepare(config, data, report, folder, config.artifacts / LOGS_FOLDER / name)
    try:
        tuner.oracle.get_space()  # waits for the chief
        if not (folder / f"{distribute.CHIEF}.json").is_file():
            raise ToolkitError(
                f"the chief does another search, or in another folder: {folder} is not its; give "
                "both the same options and --artifacts folder"
            )
        _run(tuner, arguments)
    except grpc.RpcError as error:
        details = error.details() if isinstance(error, grpc.Call) else error
        raise ToolkitError(
            f"the chief of the search is gone ({details}); start it again with --resume, then this"
        ) from error


def search_name(config: TrainConfig, data_sha256: str) -> str:
    """Returns a name for a search that no search bears which differs in anything."""
    identity = content_sha256(
        {
            "recipe": asdict(replace(config.recipe, teacher=None)),
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


def _prepare(
    config: TrainConfig, data: FitData, report: Progress, folder: Path, logs: Path
) -> tuple[Any, dict[str, Any]]:
    """Returns a tuner, with the state that its folder holds, and its search's arguments."""
    try:
        with redirect_stdout(io.StringIO()):  # it says where it reloads from
            tuner = _tuner(config, RecipeModel(config), folder)
    except (ValueError, LookupError, TypeError) as error:
        raise ArtifactError(
            f"{folder}, the state of the search that was cut off, is corrupt ({error!r}); "
            "leave --resume out to search from the start"
        ) from error
    tuner.seconds = {}
    callbacks = [
        keras.callbacks.TensorBoard(logs, write_graph=False),
        ReportTrials(report, tuner, config.search_epochs),
    ]
    arguments: dict[str, Any] = {"data": data.first(SEARCH_SHARE), "callbacks": callbacks}
    if config.tuner != "hyperband":  # which grants its trials their epochs itself
        arguments["epochs"] = config.search_epochs
    return tuner, arguments


def _run(tuner: Any, arguments: dict[str, Any]) -> None:
    try:
        tuner.search(**arguments)
    except RuntimeError as error:  # too many trials failed; the last line says of what
        reason = str(error).strip().splitlines()[-1]
        raise ToolkitError(
            f"the search stopped because its trials failed ({reason}); mend that, or give "
            "--units and --learning-rate to do without it"
        ) from error


def _tuner(config: TrainConfig, recipe: RecipeModel, folder: Path) -> Any:
    shared: dict[str, Any] = {
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "seed": config.seed or MAX_SEED + 1,  # it takes 0 for none
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
