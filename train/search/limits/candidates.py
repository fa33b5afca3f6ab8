"""Networks that fit: drawn at random, weighed before they are trained.

A network of a search space that does not fit is never trained, and neither is a small one while
larger ones may fit: of two that fit, the larger is mostly the more accurate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import keras
import keras_tuner

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.config import Hyperparameters
from train.limits import Kind, Limits
from train.networks import Student, made, memory, multiplications, weights
from train.search.limits.costs import CostError, Costs
from train.search.limits.forecast import Forecast

Values = Mapping[str, Any]
MOST_DRAWS, MOST_EXPORTS = 10_000, 80  # for one trial
SMALL = 0.25  # share of the flash for weights, below which a network is not even exported
LEAST_USED = 0.7  # of the tightest limit, to begin with
RELAXED_AFTER, RELAXED_BY = 500, 0.1  # draws without a result, and how much less will do then
# Where a cost is to be small: drawn from a share of the cheapest one that is expected to be good.
CHEAPEST_SHARE = 0.25
MULTIPLICATIONS_SHARE = 1.5  # of that one's, more than which is not even exported
DOUBT = 0.05  # of forecasts
FITTING = 3  # networks that fit, of which the one that computes most is taken
FORECAST = 30  # and of so many that are forecast to fit, it is exported first
MOST_REFUSALS = 8  # networks in a row that cannot be exported: it is not these networks
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
        refused: why the last one that cannot be exported cannot.
        exports: how many were exported.
        relaxed: how much less of the limits will do, 0…1.
        forecast: what was learnt of these.
        good: the costs of the cheapest network that is expected to be accurate enough, so far.
        most_made: how many numbers a network's layers may write, so that it can be fitted in time.
        starts: where to begin, if that was not tried: of each design the largest first.
        closest: the smallest excess of a network, 1 for none, its costs and its values.
    """

    space: Space
    limits: Limits
    costs: Costs
    folder: Path
    report: Progress
    weighed: dict[str, dict[Kind, float]] = field(default_factory=dict)
    closest: tuple[float, dict[Kind, float], Values] | None = None
    refused: str | None = None
    exports: int = 0
    relaxed: float = 0
    forecast: Forecast = field(default_factory=Forecast)
    good: dict[Kind, float] | None = None
    most_made: float | None = None
    starts: list[list[dict[str, Any]]] = field(default_factory=list)

    def draw(
        self,
        random_values: Callable[[], dict[str, Any] | None],
        with_values: Callable[[Values], keras_tuner.HyperParameters],
    ) -> dict[str, Any] | None:
        """Returns the values of a network that fits; None if none is found.

        Of a few that do, the one that computes most, unless computing costs what is limited: of
        networks of one size it is mostly the most accurate.

        Args:
            random_values: draws values that were not tried.
            with_values: returns the hyperparameters that have some values.

        Raises:
            ToolkitError: no network can be exported.
        """
        self.relaxed = 0.0
        while self.starts and not self.limits.minimize:
            for start in self.starts.pop(0):
                if self._fits(with_values(start)):
                    return start
        random_values = self._forecast_first(random_values, with_values)
        refusals, spare, known = 0, None, self.exports
        most = self._fitting_wanted()
        fitting: list[tuple[int, int, dict[str, Any]]] = []
        for number in range(MOST_DRAWS):
            if self.exports - known >= MOST_EXPORTS:
                break
            if number % RELAXED_AFTER == RELAXED_AFTER - 1:
                self.relaxed = min(1.0, self.relaxed + RELAXED_BY)
            values = random_values()
            if values is None:
                break
            try:
                costs = self.weigh(with_values(values))
            except CostError as error:
                refusals, self.refused = refusals + 1, f"{error} ({told(values)})"
                if refusals >= MOST_REFUSALS:
                    raise ToolkitError(
                        f"got {refusals} networks in a row that cannot be exported, the last: "
                        f"{self.refused}; choose another --for, or change the search space"
                    ) from error
                continue
            refusals = 0
            if costs is None or not self.limits.allow(costs) or not self._is_sought(costs):
                continue
            least = 0 if self.limits.minimize else LEAST_USED * (1 - self.relaxed)
            if max(self.limits.used(costs).values(), default=1) >= least:
                described = self.space.describe(with_values(values))
                worth = 0 if described is None else promise(described)
                fitting.append((worth, len(fitting), values))
                if len(fitting) >= most:
                    break
            spare = spare or values
        return max(fitting)[2] if fitting else spare

    def _fits(self, hp: keras_tuner.HyperParameters) -> bool:
        try:
            costs = self.weigh(hp)
        except CostError:
            return False
        return costs is not None and self.limits.allow(costs)

    def _fitting_wanted(self) -> int:
        """Returns of how many networks that fit one is taken."""
        return FITTING if self._computing_is_free and not self.forecast.is_ready else 1

    @property
    def _computing_is_free(self) -> bool:
        """Whether no limit holds how much a network computes."""
        computing = {"latency", "multiplications"} & set(self.limits.needed)
        return not computing and not self.limits.minimize

    def _forecast_first(
        self,
        random_values: Callable[[], dict[str, Any] | None],
        with_values: Callable[[Values], keras_tuner.HyperParameters],
    ) -> Callable[[], dict[str, Any] | None]:
        """Returns what draws; where forecasts can tell, those that compute most come first."""
        if not self._computing_is_free or not self.forecast.is_ready:
            return random_values
        waiting: list[tuple[int, int, dict[str, Any]]] = []

        def draw() -> dict[str, Any] | None:
            for _ in range(MOST_DRAWS if not waiting else 0):
                values = random_values()
                if values is None or len(waiting) >= FORECAST:
                    break
                described = self.space.describe(with_values(values))
                if described is None or (
                    not self._is_slow(described)
                    and not self._is_small(bounds(described))
                    and self._is_promising(described)
                ):
                    worth = 0 if described is None else promise(described)
                    waiting.append((worth, len(waiting), values))
            waiting.sort(key=lambda each: each[:2])
            return waiting.pop()[2] if waiting else None

        return draw

    def _is_slow(self, network: Student) -> bool:
        """Returns whether a network cannot be fitted in full in the time that there is."""
        return self.most_made is not None and made(network) > self.most_made

    def weigh(self, hp: keras_tuner.HyperParameters) -> dict[Kind, float] | None:
        """Returns what a network costs, at least where that is beyond a limit already.

        None of one so small that larger ones are tried before it is exported.

        Raises:
            CostError: it cannot be exported.
        """
        chosen = plain(hp.values)
        key = told(chosen)
        if key not in self.weighed:
            described = self.space.describe(hp)
            found = {} if described is None else bounds(described)
            if self._is_small(found) or self._is_large(found):
                return None
            if described is not None and self._is_slow(described):
                return None
            if self.limits.allow(found):
                if described is not None and not self._is_promising(described):
                    return None
                found = self._measured(hp, chosen)
                if described is not None:
                    self.forecast.learn(described, found)
                self.report.step(f"cost: {'; '.join(self.limits.lines(found))} ({key})")
            self.weighed[key] = found
        found = self.weighed[key]
        excess = max(self.limits.used(found).values(), default=0.0)
        if excess > 1 and (self.closest is None or excess < self.closest[0]):
            self.closest = excess, found, chosen
        return found

    def _is_sought(self, costs: Mapping[Kind, float]) -> bool:
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
        """Returns whether weights alone say that a network leaves most of the flash unused."""
        used = self.limits.used(bound)
        return not self.limits.minimize and "flash" in used and max(used.values()) < SMALL

    def _is_large(self, bound: Mapping[Kind, float]) -> bool:
        """Returns whether a network computes much more than one that is good already."""
        kind: Kind = "multiplications"
        if self.good is None or kind not in self.good or kind not in bound:
            return False
        return bound[kind] > MULTIPLICATIONS_SHARE * self.good[kind]

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


def promise(network: Student) -> int:
    """Returns what tells good networks of one size from others: they compute more, and are deeper.

    A rule of thumb for which are tried first; their accuracy decides.
    """
    return multiplications(network) * len(list(network.layers()))


def plain(values: Values) -> dict[str, Any]:
    """Returns values without keras-tuner's own."""
    return {name: value for name, value in values.items() if not name.startswith(OWN)}


def told(values: Values) -> str:
    """Returns values as text."""
    return ", ".join(f"{name} {value}" for name, value in sorted(plain(values).items()))
