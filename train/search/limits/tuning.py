"""keras-tuner's tuners, held to networks that fit and to a time."""

import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from train.common.command.progress import Progress
from train.config import MAX_SEED, TrainConfig
from train.data.fit_data import FitData
from train.fit.fit import fit
from train.search.limits.candidates import Candidates, Space, Values, told
from train.search.limits.draws import Draws
from train.search.tuners import BayesianOptimization, Hyperband, RandomSearch, Reporting


class LimitsModel(keras_tuner.HyperModel):
    """Builds and fits a trial."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        self._space, self._seed = space, seed

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial; the same weights for the same values."""
        keras.utils.set_random_seed(self._seed)
        return self._space.to_fit(hp)

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
        """Fits a trial for the epochs that it was granted, annealed over them."""
        chosen = self._space.hyperparameters(hp)
        history = fit(
            model,
            replace(chosen, recipe=chosen.recipe.brief()),
            data,
            epochs=epochs,
            seed=self._seed,
            first_epoch=initial_epoch,
            callbacks=callbacks,
            patience=epochs,
        )
        best = int(np.argmax(history["val_accuracy"]))
        return {name: found[best] for name, found in history.items()}


class ReportTrials(keras.callbacks.Callback):
    """Says which trial runs and how it does."""

    def __init__(self, report: Progress, tuner: Reporting) -> None:
        super().__init__()
        self._report, self._tuner = report, tuner

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReportTrials":
        return self  # keras-tuner copies its callbacks for every trial; this one is shared

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reports one epoch of the running trial."""
        trial = self._tuner.running
        values = trial.hyperparameters.values
        self._report.step(
            f"search: trial {int(trial.trial_id) + 1}, epoch {epoch + 1}"
            f"/{values.get('tuner/epochs', epoch + 1)}: validation accuracy "
            f"{(logs or {})['val_accuracy']:.2%} ({told(values)})"
        )


def make_tuner(config: TrainConfig, model: LimitsModel, folder: Path) -> Reporting:
    """Returns the tuner that the command line asks for, with the state that its folder holds.

    Raises:
        ValueError, LookupError, TypeError, RuntimeError: that state is corrupt.
    """
    shared: dict[str, Any] = {
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "seed": config.seed or MAX_SEED + 1,  # it takes 0 for none
        "directory": folder.parent,
        "project_name": folder.name,
    }
    with redirect_stdout(io.StringIO()):  # it says where it reloads from
        if config.tuner == "hyperband":
            tuner: Reporting = Hyperband(model, max_epochs=config.search_epochs, factor=3, **shared)
        else:
            kinds = {"random": RandomSearch, "bayesian": BayesianOptimization}
            tuner = kinds[config.tuner](model, max_trials=config.trials or 1000, **shared)
    tuner.oracle.verbose = 0  # it prints tables
    tuner.seconds = {}
    return tuner


def hold_to(oracle: Any, candidates: Candidates, end: float, look: Callable[[Any], None]) -> Draws:
    """Makes an oracle propose networks that fit, and none when its time is over.

    Args:
        oracle: keras-tuner's, of any kind.
        candidates: tells which fit.
        end: when to stop, by `time.monotonic`.
        look: called with the oracle before each draw.

    Returns:
        What draws.
    """
    populate = oracle.populate_space

    def with_values(values: Values) -> keras_tuner.HyperParameters:
        hp = oracle.hyperparameters.copy()
        hp.values = dict(values)
        return hp

    starts = [] if oracle.trials else candidates.space.starts()
    draws = Draws(candidates, oracle._random_values, with_values, starts)

    def populate_space(trial_id: str) -> dict[str, Any]:
        if time.monotonic() >= end:
            return {"status": "IDLE" if oracle.ongoing_trials else "STOPPED"}
        look(oracle)
        found: dict[str, Any] = populate(trial_id)
        values = found.get("values")
        costs = candidates.weigh(with_values(values)) if values else None
        if values and (costs is None or not candidates.limits.allow(costs)):
            found["values"] = draws.draw()
            if found["values"] is None:
                found["status"] = "STOPPED"
        return found

    oracle._random_values, oracle.populate_space = draws.draw, populate_space
    return draws
