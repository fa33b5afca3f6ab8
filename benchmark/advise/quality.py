"""How rows compare in the metric that judges them. Light."""

from dataclasses import dataclass

import numpy as np

from benchmark.advise.pairs import drop_interval
from benchmark.judge.metrics import NOTATIONS, Metric
from benchmark.judge.rows import Result
from benchmark.judge.task import Task


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
        unit = (
            f"% of the Keras model's {notation.name}"
            if notation.error
            else f"points of {notation.name}"
        )
        return f"{abs(by) * 100:.2f} {unit} {word} accurate"


def quality_of(main: Task) -> Quality:
    """Returns how rows compare in what their main output is judged by."""
    by_class = main.metric == "accuracy" or (main.kind == "outputs" and main.has_classes)
    return Quality(metric=main.metric, classes=main.right_classes() if by_class else None)


def _interval(row: Result) -> tuple[float, float] | None:
    drop = row.scores.drop if row.scores else None
    return None if drop is None else drop.interval
