"""How the latencies of two rows compare."""

from dataclasses import dataclass

from benchmark.judge.rows import Result
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
