"""How much worse an export does than its Keras model, and how sure that is. Light."""

import math
from dataclasses import dataclass

import numpy as np

from benchmark.judge.statistics import (
    CONFIDENCE,
    Side,
    drop_side,
    paired_drop_interval,
    upper_side,
)
from benchmark.judge.two_samples import student_quantile


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What an export loses in a metric against the Keras model on the same examples.

    It is positive where the export does worse, whatever the metric: points of accuracy, AUC or
    R² (0.01 is one point), or the share by which an error is larger (0.01 is 1 %).

    Attributes:
        value: how much is lost.
        low, high: its two-sided 95 % interval; None where the examples bound nothing.
        count: how many examples there are, ≥ 1.
        discordant: of an accuracy, how many examples were lost and how many gained.
    """

    value: float
    low: float | None
    high: float | None
    count: int
    discordant: tuple[int, int] | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def side(self, limit: float) -> Side:
        """Returns whether at most `limit` is lost, or about how many examples would tell.

        An accuracy's examples are counted by Tango's interval; any other interval is taken to
        shrink with the square root of the number of examples.
        """
        if self.discordant is not None:
            return drop_side(*self.discordant, self.count, limit)
        ends = self.interval
        if ends is None:
            return Side(within=False, beyond=False)
        low, high = ends

        def interval(count: float) -> tuple[float, float]:
            shrunk = math.sqrt(self.count / count)
            return (
                self.value - (self.value - low) * shrunk,
                self.value + (high - self.value) * shrunk,
            )

        return upper_side(interval, self.value, self.count, limit)


def paired_drop(lost: int, gained: int, total: int) -> Drop:
    """Returns the drop of an accuracy by Tango's interval; counts as in `accuracy.Paired`."""
    low, high = paired_drop_interval(lost, gained, total) or (None, None)
    return Drop(
        value=(lost - gained) / total,
        low=low,
        high=high,
        count=total,
        discordant=(lost, gained),
    )


def mean_drop(losses: np.ndarray) -> Drop:
    """Returns the mean of what is lost in each example, by Student's t interval.

    The interval takes the examples as independent and their mean as about normal, which holds
    for many examples whatever the distribution, and for few only if none stands far out.

    Args:
        losses: (N,) float64, N ≥ 1; a single one has no interval.
    """
    value = float(losses.mean())
    if losses.size == 1:
        return Drop(value=value, low=None, high=None, count=1)
    error = float(losses.std(ddof=1)) / math.sqrt(losses.size)
    half = student_quantile(CONFIDENCE, losses.size - 1) * error
    return Drop(value=value, low=value - half, high=value + half, count=losses.size)
