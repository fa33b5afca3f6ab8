"""Two rows side by side: how their latencies, and the metric that judges them, compare."""

from dataclasses import dataclass

import numpy as np

from benchmark.judge.metrics import NOTATIONS, Metric
from benchmark.judge.rows import Result
from benchmark.judge.statistics import paired_drop_interval
from benchmark.judge.task import Task
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


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How rows compare.

    Attributes:
        metric: what they are judged by.
        classes: (N,) the right class of each example, where that is the accuracy, or the agreement
            with the Keras model; two rows are then compared example by example. None for another
            metric: of two rows no more is known than what each loses against the Keras model, and
            rows whose intervals of that overlap cannot be told apart.
    """

    metric: Metric = "accuracy"
    classes: np.ndarray | None = None

    def loss(self, row: Result) -> float:
        """Returns what is to be small of a measured row."""
        if self.classes is not None:
            return -float(np.mean(row.predicted == self.classes))
        drop = row.scores.drop if row.scores else None
        return 0.0 if drop is None else drop.value

    def same(self, row: Result, other: Result) -> bool:
        """Whether two measured rows cannot be told apart."""
        if self.classes is not None:
            low, high = drop_interval(row, other, self.classes)
            return low <= 0 <= high
        ends, other_ends = _interval(row), _interval(other)
        if ends is None or other_ends is None:
            return True
        return ends[0] <= other_ends[1] and other_ends[0] <= ends[1]

    def figure(self, row: Result) -> str:
        """Returns a measured row's value."""
        if self.classes is not None:
            return f"{-self.loss(row):.2%}"
        notation = NOTATIONS[self.metric]
        return f"{notation.name} {notation.said(row.scores.value if row.scores else None)}"

    def gap(self, chosen: Result, second: Result) -> str:
        """Returns by how much the second is more or less accurate."""
        by = self.loss(second) - self.loss(chosen)
        word, notation = "more" if by < 0 else "less", NOTATIONS[self.metric]
        if self.classes is not None:
            return f"{abs(by) * 100:.2f} points {word} accurate"
        unit = f"points of {notation.name}"
        if notation.error:
            unit = f"% of the Keras model's {notation.name}"
        return f"{abs(by) * 100:.2f} {unit} {word} accurate"


def quality_of(main: Task) -> Quality:
    """Returns how rows compare in what their main output is judged by."""
    by_class = main.metric == "accuracy" or (main.kind == "outputs" and main.has_classes)
    return Quality(metric=main.metric, classes=main.right_classes() if by_class else None)


def _interval(row: Result) -> tuple[float, float] | None:
    drop = row.scores.drop if row.scores else None
    return None if drop is None else drop.interval
