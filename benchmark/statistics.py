"""Statistics of paired predictions and of latency samples; None where the sample can't say."""

import math
from collections.abc import Callable

import numpy as np

Z_95 = 1.959963984540054  # two-sided 95 % of the standard normal distribution
CONFIDENCE = 0.95


def quantile(samples: np.ndarray, share: float) -> float | None:
    """Returns a quantile of samples (N,), or None where N is too small to bound it.

    N must be so large that the largest sample lies above the true quantile with 95 %
    confidence, 1 - share**N ≥ 0.95: 5 for the median, 29 for p90, 299 for p99. This bound
    holds for any distribution (Wilks 1941). The estimate is median-unbiased
    (Hyndman & Fan 1996, definition 8).
    """
    if 1 - share**samples.size < CONFIDENCE:
        return None
    return float(np.quantile(samples, share, method="median_unbiased"))


def paired_drop_interval(lost: int, gained: int, total: int) -> tuple[float, float] | None:
    """Returns the 95 % interval of the accuracy drop between two classifiers on the same data.

    Tango's score interval for the difference of paired proportions (Tango 1998, Statistics in
    Medicine 17:891-908), which keeps its coverage where a Wald interval collapses: few or no
    discordant pairs.

    Args:
        lost: how many the first gets right and the second wrong.
        gained: how many the first gets wrong and the second right.
        total: how many there are, ≥ lost + gained.

    Returns:
        Low and high of (lost - gained) / total, in -1…1; None where total is 0.
    """
    if total == 0:
        return None
    drop = (lost - gained) / total

    def score(difference: float) -> float:
        return _tango_score(lost, gained, total, difference)

    low = -1.0 if gained == total else _decreasing_root(score, Z_95, -1.0, drop)
    high = 1.0 if lost == total else _decreasing_root(score, -Z_95, drop, 1.0)
    return low, high


def _tango_score(lost: int, gained: int, total: int, difference: float) -> float:
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
