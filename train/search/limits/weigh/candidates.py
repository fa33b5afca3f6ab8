"""Networks, weighed before they are trained.

One that does not fit is never trained, and neither is a small one while larger ones may fit: of two
that fit, the larger is mostly the more accurate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import keras
import keras_tuner

from train.common.command.progress import Progress
from train.limits import Kind, Limits
from train.recipes.networks import Student, made, memory, multiplications, weights
from train.recipes.recipe import Hyperparameters
from train.search.limits.weigh.costs import Costs
from train.search.limits.weigh.forecast import Forecast

Values = Mapping[str, Any]
SMALL = 0.25  # share of the flash for weights, below which a network is not even exported
BESIDE = 4_000  # bytes of a small network that are no weights, about
LEAST_USED = 0.7  # of the tightest limit, to begin with
# Where a cost is to be small: drawn from a share of the cheapest one that is expected to be good.
CHEAPEST_SHARE = 0.25
MULTIPLICATIONS_SHARE = 1.5  # of that one's, more than which is not even exported
DOUBT = 0.05  # of forecasts
OWN = "tuner/"  # keras-tuner's own values


class Space(Protocol):
    """What networks there are, by keras-tuner's hyperparameters."""

    def starts(self) -> list[list[dict[str, Any]]]:
        """Returns where to begin: values of networks, of each design the largest first."""

    def describe(self, hp: keras_tuner.HyperParameters) -> Student | None:
        """Returns what a network is made of; None where only its model tells."""

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns what it is fitted with."""

    def to_fit(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns its compiled model."""

    def to_ship(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns its model as it ships, with random weights."""

    def shipped(self, model: keras.Model, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the model that ships of one that was fitted."""


@dataclass(kw_only=True)
class Candidates:
    """What was weighed.

    Attributes:
        space: the networks.
        limits: what they are held against.
        costs: what they cost.
        folder: where models are written to be weighed.
        report: told of each.
        weighed: by their values' text, what was found; costs may be bounds from below.
        exports: how many were exported.
        relaxed: how much less of the limits will do, 0…1.
        forecast: what was learnt of these.
        good: the costs of the cheapest network that is expected to be accurate enough, so far.
        most_made: how many numbers a network's layers may write, so that it can be fitted in time.
        closest: the smallest excess of a network, 1 for none, its costs and its values.
    """

    space: Space
    limits: Limits
    costs: Costs
    folder: Path
    report: Progress
    weighed: dict[str, dict[Kind, float]] = field(default_factory=dict)
    closest: tuple[float, dict[Kind, float], Values] | None = None
    exports: int = 0
    relaxed: float = 0
    forecast: Forecast = field(default_factory=Forecast)
    good: dict[Kind, float] | None = None
    most_made: float | None = None

    def weigh(self, hp: keras_tuner.HyperParameters) -> dict[Kind, float]:
        """Returns what a network costs, at least where that is beyond a limit already.

        Raises:
            CostError: it cannot be exported.
        """
        chosen = plain(hp.values)
        key = told(chosen)
        if key not in self.weighed:
            described = self.space.describe(hp)
            found = {} if described is None else bounds(described)
            if self.limits.allow(found):
                found = self._measured(hp, chosen)
                if described is not None:
                    self.forecast.learn(described, found)
                self.report.step(f"cost: {'; '.join(self.limits.lines(found))} ({key})")
            self.weighed[key] = found
        found = self.weighed[key]
        excess = max(self.limits.used(found).values(), default=0.0)
        if 1 < excess < math.inf and (self.closest is None or excess < self.closest[0]):
            self.closest = excess, found, chosen
        return found

    def is_worth_an_export(self, network: Student) -> bool:
        """Returns whether what a network is made of speaks for it.

        It does not if larger ones come first, or cheaper ones, if it is too slow to be fitted in
        time, or forecast not to fit. What is known not to fit, without an export, is.
        """
        bound = bounds(network)
        if self._is_small(bound) or self._is_large(bound) or self._is_slow(network):
            return False
        return not self.limits.allow(bound) or self._is_promising(network)

    def is_sought(self, costs: Mapping[Kind, float]) -> bool:
        """Returns whether a network is cheaper than one that is good, though not by far."""
        kind = self.limits.minimize
        if kind is None or self.good is None:
            return True
        return CHEAPEST_SHARE * self.good[kind] <= costs[kind] < self.good[kind]

    def _is_promising(self, network: Student) -> bool:
        """Returns whether a network may fit, and use its limits, by what others cost."""
        used = self.limits.used(self.forecast.of(network)).values()
        least = 0 if self.limits.minimize else LEAST_USED
        return all(share <= 1 + DOUBT for share in used) and (
            not used or max(used) >= least * (1 - DOUBT) * (1 - self.relaxed)
        )

    def _is_small(self, bound: Mapping[Kind, float]) -> bool:
        """Returns whether a bound says that a network leaves most of every limit unused."""
        flash = self.limits.most.get("flash")
        if self.limits.minimize or flash is None:
            return False
        used = {**self.limits.used(bound), "flash": bound["flash"] / max(1, flash - BESIDE)}
        return max(used.values()) < SMALL

    def _is_large(self, bound: Mapping[Kind, float]) -> bool:
        """Returns whether a network computes much more than one that is good already."""
        kind: Kind = "multiplications"
        if self.good is None or kind not in self.good or kind not in bound:
            return False
        return bound[kind] > MULTIPLICATIONS_SHARE * self.good[kind]

    def _is_slow(self, network: Student) -> bool:
        """Returns whether a network cannot be fitted in full in the time that there is."""
        return self.most_made is not None and made(network) > self.most_made

    def _measured(self, hp: keras_tuner.HyperParameters, values: Values) -> dict[Kind, float]:
        self.exports += 1
        model = self.folder / "weighed.keras"
        self.space.to_ship(hp).save(model)
        try:
            return self.costs.of(values, model)
        finally:
            model.unlink()


def bounds(network: Student) -> dict[Kind, float]:
    """Returns what a network costs at least, with 8 bits a number, and its multiplications.

    Of what a layer reads and writes, half: some can write where they read.
    """
    return {
        "flash": weights(network),
        "ram": memory(network) / 2,
        "multiplications": multiplications(network),
    }


def plain(values: Values) -> dict[str, Any]:
    """Returns values without keras-tuner's own."""
    return {name: value for name, value in values.items() if not name.startswith(OWN)}


def told(values: Values) -> str:
    """Returns values as text."""
    return ", ".join(f"{name} {value}" for name, value in sorted(plain(values).items()))
