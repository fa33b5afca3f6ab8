"""Which networks are tried: designs that did well, then what is drawn at random and fits."""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import keras_tuner

from train.common.errors import ToolkitError
from train.recipes.networks import Student, multiplications
from train.search.limits.weigh.candidates import LEAST_USED, Candidates, Values, bounds, told
from train.search.limits.weigh.costs import CostError

MOST_DRAWS, MOST_EXPORTS = 3_000, 80  # for one trial
RELAXED_AFTER, RELAXED_BY = 500, 0.1  # draws without a result, and how much less will do then
FITTING = 3  # networks that fit, of which the most promising is taken while nothing is forecast
FORECAST = 30  # then so many that are forecast to fit, the most promising of which comes first
WIDTHS = 12  # of each design, where a cost is to be small
MOST_REFUSALS = 8  # networks in a row that cannot be exported: it is not these networks


def with_values(values: Values) -> keras_tuner.HyperParameters:
    """Returns hyperparameters that have some values; what asks for them registers them."""
    found = keras_tuner.HyperParameters()
    found.values = dict(values)
    return found


def in_turn(starts: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Returns a few widths of each design, the widest of each before the next of any.

    Where a cost is to be small: what is good at once spares the fits of all that cost more.
    """
    few = [design[:: max(1, len(design) // WIDTHS)] for design in reversed(starts)]
    return [[start] for widths in zip_longest(*few) for start in widths if start is not None]


class Draws:
    """Draws networks that fit."""

    def __init__(
        self,
        candidates: Candidates,
        random_values: Callable[[], dict[str, Any] | None],
        starts: list[list[dict[str, Any]]],
    ) -> None:
        """Takes what to draw from.

        Args:
            candidates: weighs.
            random_values: draws values that were not tried; None if there are none left.
            starts: where to begin: values of networks, of each design the largest first.
        """
        self._candidates, self._limits = candidates, candidates.limits
        self._random_values = random_values
        self._starts = in_turn(starts) if self._limits.minimize else starts
        self._refusals, self.refused = 0, ""

    def draw(self) -> dict[str, Any] | None:
        """Returns the values of a network that fits; None if none is found.

        Of a few that do, the most promising, unless computing costs what is limited.

        Raises:
            ToolkitError: no network can be exported.
        """
        candidates = self._candidates
        candidates.relaxed = 0.0
        while self._starts:
            for start in self._starts.pop(0):
                if self._is_worth(start) and self.fit(start, sought=True):
                    return start
        known, spare = candidates.exports, None
        fitting: list[tuple[int, int, dict[str, Any]]] = []
        wanted = 1 if candidates.forecast.is_ready or not self._computing_is_free else FITTING
        waiting: list[tuple[int, int, dict[str, Any]]] = []
        for number in range(MOST_DRAWS):
            if candidates.exports - known >= MOST_EXPORTS or len(fitting) >= wanted:
                break
            if number % RELAXED_AFTER == RELAXED_AFTER - 1:
                candidates.relaxed = min(1.0, candidates.relaxed + RELAXED_BY)
            values = self._next(waiting)
            if values is None:
                break
            if not self._is_worth(values) or not self.fit(values, sought=True):
                continue
            costs = candidates.weigh(with_values(values))
            least = 0 if self._limits.minimize else LEAST_USED * (1 - candidates.relaxed)
            if max(self._limits.used(costs).values(), default=1) >= least:
                fitting.append((self._promise(values), len(fitting), values))
            spare = spare or values
        return max(fitting)[2] if fitting else spare

    def fit(self, values: Values, *, sought: bool = False) -> bool:
        """Returns whether a network can be exported, and fits.

        Args:
            values: which.
            sought: whether it must also be cheaper than what is good already, where a cost is to
                be small.

        Raises:
            ToolkitError: it is one of several in a row that cannot be exported.
        """
        try:
            costs = self._candidates.weigh(with_values(values))
        except CostError as error:
            self._refusals, self.refused = self._refusals + 1, f"{error} ({told(values)})"
            if self._refusals >= MOST_REFUSALS:
                raise ToolkitError(
                    f"got {self._refusals} networks in a row that cannot be exported, the last: "
                    f"{self.refused}; choose another --for, or change the search space"
                ) from error
            return False
        self._refusals = 0
        return self._limits.allow(costs) and (not sought or self._candidates.is_sought(costs))

    def _is_worth(self, values: Values) -> bool:
        network = self._described(values)
        return network is None or self._candidates.is_worth_an_export(network)

    def _next(self, waiting: list[tuple[int, int, dict[str, Any]]]) -> dict[str, Any] | None:
        """Returns random values; where forecasts can tell, the most promising of several first.

        Args:
            waiting: those that wait; it is filled and emptied.
        """
        if not self._computing_is_free or not self._candidates.forecast.is_ready:
            return self._random_values()
        for _ in range(0 if waiting else MOST_DRAWS):
            values = self._random_values()
            if values is None or len(waiting) >= FORECAST:
                break
            network = self._described(values)
            if network is None or (self._limits.allow(bounds(network)) and self._is_worth(values)):
                waiting.append((self._promise(values), len(waiting), values))
        waiting.sort(key=lambda each: each[:2])
        return waiting.pop()[2] if waiting else None

    @property
    def _computing_is_free(self) -> bool:
        """Whether no limit holds how much a network computes."""
        computing = {"latency", "multiplications"} & set(self._limits.needed)
        return not computing and not self._limits.minimize

    def _described(self, values: Values) -> Student | None:
        return self._candidates.space.describe(with_values(values))

    def _promise(self, values: Values) -> int:
        """Returns what tells good networks of one size: they compute more, and are deeper.

        A rule of thumb for which are tried first; their accuracy decides.
        """
        network = self._described(values)
        return 0 if network is None else multiplications(network) * len(list(network.layers()))
