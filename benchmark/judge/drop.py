"""How much worse an export does than its Keras model, and on which side of a limit that is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.judge.statistics import ROUNDING, student_quantile, wilson_interval
from train.common.intervals import CONFIDENCE, paired_drop_interval, scaled_drop_interval

MAX_EXAMPLES = 10**9  # more than this "would decide" nothing in practice


@dataclass(frozen=True, kw_only=True)
class Side:
    """On which side of a limit an interval lies.

    Attributes:
        within: the whole interval keeps the limit.
        beyond: the whole interval breaks it; neither where it holds the limit.
        examples: how many examples would decide it at the observed rates; None where it is decided
            or no number would.
    """

    within: bool
    beyond: bool
    examples: int | None = None


def drop_side(
    lost: int, gained: int, total: int, limit: float, confidence: float = CONFIDENCE
) -> Side:
    """Returns whether a paired accuracy drop is at most `limit`, by Tango's interval.

    Args:
        lost: how many the first gets right and the second wrong.
        gained: how many the first gets wrong and the second right.
        total: how many there are, > 0.
        limit: the largest drop allowed, in -1…1.
        confidence: of the two-sided interval.
    """

    def interval(examples: float) -> tuple[float, float]:
        scale = examples / total
        return scaled_drop_interval(lost * scale, gained * scale, examples, confidence)

    return upper_side(interval, (lost - gained) / total, total, limit)


def share_side(successes: int, total: int, limit: float) -> Side:
    """Returns whether a proportion is at least `limit`, by Wilson's interval, total > 0."""

    def interval(examples: float) -> tuple[float, float]:
        low, high = wilson_interval(successes * examples / total, examples)
        return -high, -low

    return upper_side(interval, -successes / total, total, -limit)


def upper_side(
    interval: Callable[[float], tuple[float, float]], value: float, total: int, limit: float
) -> Side:
    """Returns on which side of an upper limit an interval lies, and how many examples would tell.

    Args:
        interval: low and high, by how many examples there are.
        value: what the interval is of.
        total: how many examples there are, > 0.
        limit: the largest value allowed.
    """

    def decided(examples: float) -> bool:
        low, high = interval(examples)
        return high <= limit + ROUNDING if value <= limit else low > limit + ROUNDING

    low, high = interval(total)
    if decided(total):
        return Side(within=high <= limit + ROUNDING, beyond=low > limit + ROUNDING)
    enough = 2 * total
    while not decided(enough):
        enough *= 2
        if enough > MAX_EXAMPLES:
            return Side(within=False, beyond=False)
    short = enough // 2
    while enough - short > 1:
        middle = (enough + short) // 2
        short, enough = (short, middle) if decided(middle) else (middle, enough)
    return Side(within=False, beyond=False, examples=enough)


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
    """Returns the drop of an accuracy by Tango's interval; counts as in `classification.Paired`."""
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
