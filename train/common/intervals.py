"""The interval of a difference between two classifiers on the same examples."""

import math
from collections.abc import Callable
from statistics import NormalDist

CONFIDENCE = 0.95


def paired_drop_interval(
    lost: int, gained: int, total: int, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Returns the interval of the accuracy drop between two classifiers on the same data.

    Tango's score interval for the difference of paired proportions (Tango 1998, Statistics in
    Medicine 17:891-908), which keeps its coverage where a Wald interval collapses: few or no
    discordant pairs.

    Args:
        lost: how many the first gets right and the second wrong.
        gained: how many the first gets wrong and the second right.
        total: how many there are, ≥ lost + gained.
        confidence: of the two-sided interval.

    Returns:
        Low and high of (lost - gained) / total, in -1…1; None where total is 0.
    """
    return scaled_drop_interval(lost, gained, total, confidence) if total else None


def scaled_drop_interval(
    lost: float, gained: float, total: float, confidence: float
) -> tuple[float, float]:
    """Returns Tango's interval of counts that need not be whole, as of another sample size > 0."""
    drop, z = (lost - gained) / total, normal_quantile(confidence)

    def score(difference: float) -> float:
        return tango_score(lost, gained, total, difference)

    low = -1.0 if gained == total else _decreasing_root(score, z, -1.0, drop)
    high = 1.0 if lost == total else _decreasing_root(score, -z, drop, 1.0)
    return low, high


def tango_score(lost: float, gained: float, total: float, difference: float) -> float:
    """Returns Tango's z for the hypothesis that the drop is `difference`; it decreases in it."""
    a = 2 * total
    b = -lost - gained + (2 * total - lost + gained) * difference
    c = -gained * difference * (1 - difference)
    # the likelihood's maximum under the hypothesis, for the cell `gained`
    cell = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = total * (2 * cell + difference * (1 - difference))
    distance = lost - gained - total * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def _decreasing_root(
    function: Callable[[float], float], target: float, low: float, high: float
) -> float:
    for _ in range(100):
        middle = (low + high) / 2
        if function(middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def normal_quantile(confidence: float) -> float:
    """Returns z such that a standard normal lies in ±z with this probability: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
