"""How keras-tuner's trials are built, and what its oracles may propose."""

import time
from collections.abc import Callable
from typing import Any

import keras
import keras_tuner

from train.recipes.recipe import Hyperparameters
from train.search.limits.weigh.candidates import Candidates, Space, told
from train.search.limits.weigh.draws import Draws
from train.search.tuners import TrialModel


class LimitsModel(TrialModel):
    """The networks of a space."""

    waits = 10_000  # a short fit is annealed to its end

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(seed)
        self._space = space

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns a trial's hyperparameters."""
        return self._space.hyperparameters(hp)

    def to_fit(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial."""
        return self._space.to_fit(hp)

    def told(self, values: dict[str, Any]) -> str:
        """Returns what a trial is, as text."""
        return told(values)


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

    starts = [] if oracle.trials else candidates.space.starts()
    draws = Draws(candidates, oracle._random_values, starts)

    def populate_space(trial_id: str) -> dict[str, Any]:
        if time.monotonic() >= end:
            return {"status": "IDLE" if oracle.ongoing_trials else "STOPPED"}
        look(oracle)
        found: dict[str, Any] = populate(trial_id)
        values = found.get("values")
        if values and not draws.fit(values):
            found["values"] = draws.draw()
            if found["values"] is None:
                found["status"] = "STOPPED"
        return found

    oracle._random_values, oracle.populate_space = draws.draw, populate_space
    return draws
