"""Keras-tuner's tuners, and how they build and fit a trial."""

import io
import os
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from keras_tuner.errors import FatalRuntimeError

from train.common.command.progress import Progress
from train.common.errors import ArtifactError
from train.config import DEFAULT_TRIALS, MAX_SEED, UNITS_CHOICES, TrainConfig
from train.data.fit_data import FitData
from train.fit.fit import fit
from train.fit.model import build_model
from train.recipes.recipe import Hyperparameters
from train.search import distribute

PATIENCE_EPOCHS = 3
UNTIL_TIME_ENDS = 10_000  # rounds of Hyperband, where a search has a budget of minutes
WORKER_PAUSE_S = 0.05


class TrialModel(keras_tuner.HyperModel):
    """Builds and fits a trial with the brief form of the final fit's recipe."""

    waits = PATIENCE_EPOCHS  # for a better validation accuracy, before a trial is ended

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns a trial's hyperparameters."""
        raise NotImplementedError

    def to_fit(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial."""
        raise NotImplementedError

    def told(self, values: dict[str, Any]) -> str:
        """Returns what a trial is, as text."""
        raise NotImplementedError

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial; the same weights for the same hyperparameters."""
        keras.utils.set_random_seed(self._seed)
        return self.to_fit(hp)

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
        chosen = replace(chosen, recipe=chosen.recipe.brief())
        history = fit(
            model,
            chosen,
            data,
            epochs=epochs,
            seed=self._seed,
            first_epoch=initial_epoch,
            callbacks=callbacks,
            patience=self.waits,
        )
        best = int(np.argmax(history["val_accuracy"]))
        return {name: values[best] for name, values in history.items()}


class RecipeModel(TrialModel):
    """Networks of a recipe's architecture, by their width and learning rate."""

    def __init__(self, config: TrainConfig, mean_input: np.ndarray) -> None:
        super().__init__(config.seed)
        self._config = config
        self._mean_input = mean_input

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns a trial's hyperparameters; one that the user gave is not searched."""
        units, rate = self._config.units, self._config.learning_rate
        choices = UNITS_CHOICES[self._config.recipe.architecture]
        return Hyperparameters(
            recipe=self._config.recipe,
            units=hp.Int("units", choices[0], choices[-1], step=choices[1] - choices[0])
            if units is None
            else hp.Fixed("units", units),
            learning_rate=hp.Choice("learning_rate", list(self._config.recipe.learning_rates))
            if rate is None
            else hp.Fixed("learning_rate", rate),
        )

    def to_fit(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial."""
        return build_model(self.hyperparameters(hp), self._mean_input)

    def told(self, values: dict[str, Any]) -> str:
        """Returns what a trial is, as text."""
        return f"{values['units']} units, learning rate {values['learning_rate']:g}"


def reason_of(error: OSError | tf.errors.OpError) -> str:
    """Returns in a few words what the system has refused."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).strip().splitlines()[-1]


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
            f"search: trial {int(trial.trial_id) + 1}, {self._tuner.hypermodel.told(values)}, "
            f"epoch {epoch + 1}/{values.get('tuner/epochs', self._epochs)}: "
            f"validation accuracy {(logs or {})['val_accuracy']:.2%}"
        )


class Reporting(keras_tuner.Tuner):
    """A tuner that remembers its running trial and how long each trial took."""

    running: Any
    refused: Exception | None = None
    seconds: dict[str, float]

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs a trial as the tuner does; what the system refuses ends the search at once."""
        self.running = trial
        started = time.perf_counter()
        try:
            result = super().run_trial(trial, *args, **kwargs)
        except (OSError, tf.errors.OpError) as error:  # a full disk, which other trials meet too
            Reporting.refused = error  # kept, with the files of HDF5 that complain when they end
            raise FatalRuntimeError(reason_of(error)) from error
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


def make_tuner(config: TrainConfig, model: TrialModel, folder: Path) -> Any:
    """Returns the tuner that the command line asks for, with the state that its folder holds.

    Raises:
        ArtifactError: that state is corrupt.
    """
    shared: dict[str, Any] = {
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "seed": config.seed or MAX_SEED + 1,  # it takes 0 for none
        "directory": folder.parent,
        "project_name": folder.name,
    }
    try:
        with redirect_stdout(io.StringIO()):  # it says where it reloads from
            if config.tuner == "hyperband":
                shared["hyperband_iterations"] = UNTIL_TIME_ENDS if config.request else 1
                tuner: Any = Hyperband(model, max_epochs=config.search_epochs, factor=3, **shared)
            else:
                trials = config.trials or (None if config.tuner == "grid" else DEFAULT_TRIALS)
                tuner = KINDS[config.tuner](model, max_trials=trials, **shared)
    except (ValueError, LookupError, TypeError, RuntimeError) as error:
        raise ArtifactError(
            f"{folder}, the state of the search that was cut off, is corrupt ({error!r}); "
            "leave --resume out to search from the start"
        ) from error
    tuner.oracle.verbose = 0  # it prints tables
    tuner.seconds = {}
    return tuner


KINDS = {"random": RandomSearch, "bayesian": BayesianOptimization, "grid": GridSearch}
