"""Two rows side by side: how their latencies and their accuracies compare."""

from dataclasses import dataclass

import numpy as np

from benchmark.judge.rows import Result
from benchmark.judge.statistics import paired_drop_interval
from benchmark.measure.latency import paired_ratio


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A row's median latency over another's, and the 95 % interval of that."""

    value: float
    low: float
    high: float


def latency_ratio(row: Result, other: Result) -> Ratio | None:
    """Returns how many times as long a row takes as another; None where the calls can't tell.

    Of rows that took turns, the median over the rounds, so that drift of the machine cancels.
    Of others, or of too few rounds for an interval, the quotient of the medians, between the
    quotients of their intervals' ends.
    """
    if row.latency is None or other.latency is None:
        return None
    own, others = row.latency, other.latency
    if row.first_round == other.first_round:
        rounds = zip(own.rounds_p50, others.rounds_p50, strict=False)
        quiet = zip(row.rounds_quiet, other.rounds_quiet, strict=False)
        found = paired_ratio([a / b for a, b in rounds], [a and b for a, b in quiet])
        if found is not None and found[1] is not None and found[2] is not None:
            return Ratio(value=found[0], low=found[1], high=found[2])
    ends = (own.p50, *own.p50_ci95, others.p50, *others.p50_ci95)
    if None in ends:
        return None
    p50, low, high, other_p50, other_low, other_high = (float(end or 0) for end in ends)
    return Ratio(value=p50 / other_p50, low=low / other_high, high=high / other_low)


def intervals_overlap(row: Result, other: Result) -> bool:
    """Returns whether the intervals of two rows' median latencies overlap, or are not known."""
    if row.latency is None or other.latency is None:
        return True
    (low, high), (other_low, other_high) = row.latency.p50_ci95, other.latency.p50_ci95
    if low is None or high is None or other_low is None or other_high is None:
        return True
    return low <= other_high and other_low <= high


def drop_interval(row: Result, other: Result, classes: np.ndarray) -> tuple[float, float]:
    """Returns the paired 95 % interval of the accuracy that `other` loses against `row`.

    Args:
        row: ran all images.
        other: likewise.
        classes: (N,) the right class of each image, N ≥ 1.
    """
    right, other_right = row.predicted == classes, other.predicted == classes
    lost, gained = int(np.sum(right & ~other_right)), int(np.sum(~right & other_right))
    return paired_drop_interval(lost, gained, classes.size) or (-1.0, 1.0)
