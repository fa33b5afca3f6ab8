"""Statistics of paired predictions and of latency samples; None where the sample can't say."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
ROUNDING = 1e-9  # a limit such as 0.886 - 0.01 is not exact in binary
MAX_IMAGES = 10**9  # more than this "would decide" nothing in practice


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


def quantile_bounds(samples: np.ndarray, share: float) -> tuple[float | None, float | None]:
    """Returns the two-sided 95 % interval of a quantile; a side that N can't carry is None.

    The interval's ends are order statistics, whose ranks follow from the binomial distribution
    whatever the samples' distribution (David & Nagaraja 2003, Order Statistics, 7.1). It takes
    the samples as independent, which drift of the machine belies.

    Args:
        samples: (N,) in ascending order, N ≥ 1.
        share: which quantile, in 0…1.
    """
    tail = (1 - CONFIDENCE) / 2
    count = samples.size
    spread = math.sqrt(count * share * (1 - share))
    ranks = np.arange(
        max(0, math.floor(count * share - 10 * spread - 10)),
        min(count, math.ceil(count * share + 10 * spread + 10)) + 1,
    )
    # at_most[i]: probability that ranks[i] or fewer samples lie below the true quantile
    at_most = np.cumsum(_binomial_probabilities(ranks, count, share))
    # the sample of rank r (from 1) lies above the quantile if at most r - 1 lie below it
    low_ranks = ranks[at_most <= tail] + 1
    high_ranks = ranks[at_most >= 1 - tail] + 1
    low = float(samples[low_ranks[-1] - 1]) if low_ranks.size else None
    high = float(samples[high_ranks[0] - 1]) if high_ranks[:1] <= count else None
    return low, high


def _binomial_probabilities(successes: np.ndarray, trials: int, share: float) -> np.ndarray:
    lgamma = np.vectorize(math.lgamma, otypes=[float])
    logarithms = (
        math.lgamma(trials + 1)
        - lgamma(successes + 1)
        - lgamma(trials - successes + 1)
        + successes * math.log(share)
        + (trials - successes) * math.log1p(-share)
    )
    probabilities: np.ndarray = np.exp(logarithms)
    return probabilities


def wilson_interval(
    successes: float, total: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Returns the score interval of a proportion (Wilson 1927, JASA 22:209-212).

    Args:
        successes: how many of `total`, 0 ≤ successes ≤ total.
        total: how many there are, > 0.
        confidence: of the two-sided interval.
    """
    z = normal_quantile(confidence)
    share = successes / total
    center = share + z**2 / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def mcnemar_p(lost: int, gained: int) -> float:
    """Returns the exact two-sided p-value that losses and gains are equally likely.

    The binomial test on the discordant pairs (McNemar 1947, Psychometrika 12:153-157).
    """
    discordant = lost + gained
    if discordant == 0:
        return 1.0
    fewer = np.arange(min(lost, gained) + 1)
    return min(1.0, 2 * float(_binomial_probabilities(fewer, discordant, 0.5).sum()))


def normal_quantile(confidence: float) -> float:
    """Returns z such that a standard normal lies in ±z with this probability: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


@dataclass(frozen=True, kw_only=True)
class Side:
    """On which side of a limit an interval lies.

    Attributes:
        within: the whole interval keeps the limit.
        beyond: the whole interval breaks it; neither where it holds the limit.
        images: how many images would decide it at the observed rates; None where it is decided
            or no number would.
    """

    within: bool
    beyond: bool
    images: int | None = None


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

    def interval(images: float) -> tuple[float, float]:
        scale = images / total
        return _drop_interval(lost * scale, gained * scale, images, confidence)

    return upper_side(interval, (lost - gained) / total, total, limit)


def share_side(successes: int, total: int, limit: float) -> Side:
    """Returns whether a proportion is at least `limit`, by Wilson's interval, total > 0."""

    def interval(images: float) -> tuple[float, float]:
        low, high = wilson_interval(successes * images / total, images)
        return -high, -low

    return upper_side(interval, -successes / total, total, -limit)


def upper_side(
    interval: Callable[[float], tuple[float, float]], value: float, total: int, limit: float
) -> Side:
    """Returns on which side of an upper limit an interval lies, and how many images it would take.

    Args:
        interval: low and high, by how many images there are.
        value: what the interval is of.
        total: how many images there are, > 0.
        limit: the largest value allowed.
    """

    def decided(images: float) -> bool:
        low, high = interval(images)
        return high <= limit + ROUNDING if value <= limit else low > limit + ROUNDING

    low, high = interval(total)
    if decided(total):
        return Side(within=high <= limit + ROUNDING, beyond=low > limit + ROUNDING)
    enough = 2 * total
    while not decided(enough):
        enough *= 2
        if enough > MAX_IMAGES:
            return Side(within=False, beyond=False)
    short = enough // 2
    while enough - short > 1:
        middle = (enough + short) // 2
        short, enough = (short, middle) if decided(middle) else (middle, enough)
    return Side(within=False, beyond=False, images=enough)


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
    return _drop_interval(lost, gained, total, confidence) if total else None


def _drop_interval(
    lost: float, gained: float, total: float, confidence: float
) -> tuple[float, float]:
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
