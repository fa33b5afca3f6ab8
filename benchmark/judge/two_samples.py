"""Statistics of two samples that nothing pairs, and of many tests at once. Light."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.judge.statistics import CONFIDENCE, normal_quantile, wilson_interval

SIGNIFICANCE = 0.05
# Of the quadrature: exact to 1e-5 from one degree of freedom on, to 1e-7 from two.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
# Beyond these degrees of freedom it is not, and the normal's 95 % quantile is within 0.0003.
NEARLY_NORMAL = 10_000


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
    """
    errors = np.array([sample.var(ddof=1) / sample.size for sample in (first, second)])
    difference = float(second.mean() - first.mean())
    error = math.sqrt(errors.sum())
    if error == 0:
        return Contrast(value=difference, low=difference, high=difference, p=float(difference == 0))
    freedom = float(errors.sum() ** 2 / (errors**2 / (first.size - 1, second.size - 1)).sum())
    half = student_quantile(CONFIDENCE, freedom) * error
    return Contrast(
        value=difference,
        low=difference - half,
        high=difference + half,
        p=student_p(difference / error, freedom),
    )


def mean_ratio(first: np.ndarray, second: np.ndarray) -> Contrast:
    """Returns the second's geometric mean over the first's, by Welch's test of the logarithms.

    Args:
        first: (N,) positive floats, N ≥ 2.
        second: (M,) positive floats, M ≥ 2.
    """
    found = welch(np.log(first), np.log(second))
    value, low, high = (math.exp(end) for end in (found.value, found.low, found.high))
    return Contrast(value=value, low=low, high=high, p=found.p)


def student_p(t: float, freedom: float) -> float:
    """Returns the two-sided p-value of Student's t with `freedom` ≥ 1 degrees of freedom."""
    return _outside(math.atan2(math.sqrt(freedom), abs(t)), freedom)


def student_quantile(confidence: float, freedom: float) -> float:
    """Returns t such that Student's t lies in ±t with this probability: 2.447 for 0.95 and 6."""
    if freedom > NEARLY_NORMAL:
        return normal_quantile(confidence)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _outside(middle, freedom) < 1 - confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) / math.tan(high)


def _outside(angle: float, freedom: float) -> float:
    """The probability outside ±t for t = √freedom · cot(angle): sin^(freedom - 1), integrated."""
    heights = np.sin(angle * (NODES + 1) / 2) ** (freedom - 1)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    return min(1.0, scale * angle * float(WEIGHTS @ heights) / math.sqrt(math.pi))


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
