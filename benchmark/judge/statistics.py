"""Intervals and tests: of proportions, of paired predictions, and of two unrelated samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.measure.latency import binomial_probabilities
from train.common.intervals import CONFIDENCE, normal_quantile

SIGNIFICANCE = 0.05
# Of the integral under Student's t.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
# Beyond these degrees of freedom its 95 % quantile is within 0.0003 of the normal's.
NEARLY_NORMAL = 10_000
ROUNDING = 1e-9  # a limit such as 0.886 - 0.01 is not exact in binary


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


def newcombe_interval(
    first: int, first_total: int, second: int, second_total: int
) -> tuple[float, float]:
    """Returns the 95 % interval of the first proportion less the second, of unrelated samples.

    Newcombe's hybrid of two score intervals (Newcombe 1998, Statistics in Medicine 17:873-890,
    method 10).

    Args:
        first: how many of `first_total` > 0.
        first_total: how many there are.
        second: how many of `second_total` > 0.
        second_total: how many there are.
    """
    one, other = first / first_total, second / second_total
    one_low, one_high = wilson_interval(first, first_total)
    other_low, other_high = wilson_interval(second, second_total)
    difference = one - other
    return (
        difference - math.hypot(one - one_low, other_high - other),
        difference + math.hypot(one_high - one, other - other_low),
    )


def mcnemar_p(lost: int, gained: int) -> float:
    """Returns the exact two-sided p-value that losses and gains are equally likely.

    The binomial test on the discordant pairs (McNemar 1947, Psychometrika 12:153-157).
    """
    discordant = lost + gained
    if discordant == 0:
        return 1.0
    fewer = np.arange(min(lost, gained) + 1)
    return min(1.0, 2 * float(binomial_probabilities(fewer, discordant, 0.5).sum()))


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """How far two samples are apart.

    Attributes:
        value: the second's mean less the first's, or over it.
        low, high: its two-sided 95 % interval.
        p: two-sided, that there is nothing between them.
    """

    value: float
    low: float
    high: float
    p: float


def welch(first: np.ndarray, second: np.ndarray) -> Contrast:
    """Returns the difference of two means by Welch's t-test (Welch 1947, Biometrika 34:28-35).

    It does not take the variances as equal. Two samples without any variance are told apart by
    their values alone.

    Args:
        first: (N,) floats, N ≥ 2, independent and about normal.
        second: (M,) floats, M ≥ 2, likewise.

    Raises:
        ModuleNotFoundError: there is no scipy, as on a device.
    """
    from scipy.stats import ttest_ind

    difference = float(second.mean() - first.mean())
    if first.var() == second.var() == 0:
        return Contrast(value=difference, low=difference, high=difference, p=float(difference == 0))
    found = ttest_ind(second, first, equal_var=False)
    low, high = found.confidence_interval(CONFIDENCE)
    return Contrast(value=difference, low=float(low), high=float(high), p=float(found.pvalue))


def mean_ratio(first: np.ndarray, second: np.ndarray) -> Contrast:
    """Returns the second's geometric mean over the first's, by Welch's test of the logarithms.

    Args:
        first: (N,) positive floats, N ≥ 2.
        second: (M,) positive floats, M ≥ 2.
    """
    found = welch(np.log(first), np.log(second))
    value, low, high = (math.exp(end) for end in (found.value, found.low, found.high))
    return Contrast(value=value, low=low, high=high, p=found.p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values corrected for being many, in their order (Holm 1979, Scand. J. Stat. 6).

    With those below SIGNIFICANCE called changes, one or more calls are false in at most 5 % of all
    comparisons, however the tests depend on each other.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = largest
    return corrected


def student_quantile(confidence: float, freedom: float) -> float:
    """Returns t such that Student's t lies in ±t with this probability: 2.447 for 0.95 and 6.

    By bisection of the tail's integral, exact to 1e-5 from 1 degree of freedom on and to 1e-7 from
    2. It stands in for scipy, which a device does not have.
    """
    if freedom > NEARLY_NORMAL:
        return normal_quantile(confidence)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2  # t = √freedom · cot(angle), the tails' density sin^(freedom - 1)
        heights = np.sin(angle * (NODES + 1) / 2) ** (freedom - 1)
        if scale * angle * float(WEIGHTS @ heights) < 1 - confidence:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) / math.tan(high)
