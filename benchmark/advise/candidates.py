"""The exports to choose among: their three objectives, and which of them can be told apart."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, get_args

import numpy as np

from benchmark.advise.latency_ratio import intervals_overlap, latency_ratio
from benchmark.judge.rows import Result
from benchmark.judge.scoring.metrics import NOTATIONS, Metric
from benchmark.judge.task import Task
from train.common.intervals import paired_drop_interval

Objective = Literal["latency", "size", "accuracy"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
# Differences up to these do not count.
SAME_LATENCY = 0.03
SAME_SIZE = 0.01


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How good rows are in what judges them.

    Attributes:
        metric: what they are judged by.
        classes: (N,) the right class of each example, where that is the accuracy, or the agreement
            with the Keras model; two rows are then compared example by example. None for another
            metric: of two rows no more is known than what each loses against the Keras model, and
            rows whose intervals of that overlap cannot be told apart.
        exact: whether, without classes, rows are judged by the share of values that are the same.
    """

    metric: Metric = "accuracy"
    classes: np.ndarray | None = None
    exact: bool = False

    @property
    def unit(self) -> str:
        """Of a hundredth of a loss."""
        notation = NOTATIONS[self.metric]
        if self.classes is not None or self.exact:
            return "points"
        if notation.error:
            return f"% of the Keras model's {notation.name}"
        return f"points of {notation.name}"

    def loss(self, row: Result) -> float:
        """Returns what is to be small of a measured row."""
        if self.classes is not None:
            return -float(np.mean(row.predicted == self.classes))
        if self.exact:
            return -_agreement(row)
        drop = row.scores.drop if row.scores else None
        return 0.0 if drop is None else drop.value

    def same(self, row: Result, other: Result) -> bool:
        """Whether two measured rows cannot be told apart."""
        if self.classes is not None:
            right, other_right = row.predicted == self.classes, other.predicted == self.classes
            lost, gained = int(np.sum(right & ~other_right)), int(np.sum(~right & other_right))
            low, high = paired_drop_interval(lost, gained, self.classes.size) or (-1.0, 1.0)
            return low <= 0 <= high
        if self.exact:
            return _agreement(row) == _agreement(other)
        drops = [found.scores.drop if found.scores else None for found in (row, other)]
        ends, other_ends = (drop.interval if drop else None for drop in drops)
        if ends is None or other_ends is None:
            return True
        return ends[0] <= other_ends[1] and other_ends[0] <= ends[1]

    def figure(self, row: Result) -> str:
        """Returns a measured row's value."""
        if self.classes is not None:
            return f"{-self.loss(row):.2%}"
        if self.exact:
            return f"{_agreement(row):.2%} of the values the same"
        notation = NOTATIONS[self.metric]
        return f"{notation.name} {notation.said(row.scores.value if row.scores else None)}"


def quality_of(main: Task) -> Quality:
    """Returns how rows are compared in what their main output is judged by."""
    by_class = main.metric == "accuracy" or (main.kind == "outputs" and main.has_classes)
    by_values = main.exact and main.kind == "outputs"
    classes = main.right_classes() if by_class else None
    return Quality(metric=main.metric, classes=classes, exact=by_values)


def _agreement(row: Result) -> float:
    return (row.distance and row.distance.agreement) or 0.0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An export that keeps every limit.

    Attributes:
        name: the row's.
        format: the row's.
        costs: what is to be small, by objective: the median of a single inference in
            microseconds, the file's bytes, and the loss in the metric that judges it.
        figures: the same for people to read.
    """

    name: str
    format: str
    costs: Mapping[Objective, float]
    figures: Mapping[Objective, str]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What a recommendation is made of.

    Attributes:
        count: how many exports keep every limit.
        pareto: those of them that no other is as good as in every objective and better in one.
        alike: by objective, pairs of names of these whose first cannot be told from its second,
            which is the better.
        loss_unit: of a hundredth of the loss.
    """

    count: int
    pareto: tuple[Candidate, ...]
    alike: Mapping[Objective, Container[tuple[str, str]]]
    loss_unit: str


def find_candidates(results: Sequence[Result], quality: Quality) -> Candidates:
    """Returns the exports among the rows of a run that pass, and how they compare."""
    rows = {}
    found = []
    for row in results:
        latency, size = row.latency.p50 if row.latency else None, row.size_bytes
        if row.verdict != "pass" or row.variant.manifest is None:
            continue
        if latency is None or size is None:
            continue
        rows[row.variant.name] = row
        found.append(
            Candidate(
                name=row.variant.name,
                format=row.variant.format,
                costs={"latency": latency, "size": size, "accuracy": quality.loss(row)},
                figures={
                    "latency": f"{latency:.1f} µs",
                    "size": f"{size / 1000:,.1f} kB",
                    "accuracy": quality.figure(row),
                },
            )
        )
    best = pareto(found)
    alike: dict[Objective, set[tuple[str, str]]] = {objective: set() for objective in OBJECTIVES}
    for pair in permutations([one.name for one in best], 2):
        row, better = (rows[name] for name in pair)
        if _as_fast(row, better):
            alike["latency"].add(pair)
        if _as_small(row, better):
            alike["size"].add(pair)
        if quality.same(row, better):
            alike["accuracy"].add(pair)
    return Candidates(count=len(found), pareto=best, alike=alike, loss_unit=quality.unit)


def pareto(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Returns those that no other is as good as in everything and better than in something.

    By the figures as measured; of equals in all, each stays.
    """

    def dominated(found: Candidate) -> bool:
        own = found.costs
        return any(
            other.costs != own and all(other.costs[o] <= own[o] for o in OBJECTIVES)
            for other in candidates
        )

    return tuple(found for found in candidates if not dominated(found))


def _as_fast(row: Result, best: Result) -> bool:
    ratio = latency_ratio(row, best)
    return intervals_overlap(row, best) or ratio is None or ratio.value <= 1 + SAME_LATENCY


def _as_small(row: Result, best: Result) -> bool:
    return (row.size_bytes or 0) <= (best.size_bytes or 0) * (1 + SAME_SIZE)
