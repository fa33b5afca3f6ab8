"""Two results files → what changed between them, with significance.

A change of the accuracy, or of a latency, is called one only where it is significant after
Holm's correction for all rows compared; of a latency, only where it is larger than 5 % as well,
because two runs of the same machine differ by a few percent whatever their own scatter says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.judge.scoring.scores import Paired
from benchmark.judge.statistics import SIGNIFICANCE, holm, mcnemar_p, newcombe_interval
from benchmark.results.comparable import (
    browser_renamed,
    causes,
    other_machine,
    same_data,
    shared_rows,
)
from benchmark.results.latency_changes import LatencyChange, latency_changes
from benchmark.results.row import Row
from benchmark.results.run import Run

Kind = Literal[
    "removed",
    "added",
    "worse verdict",
    "other verdict",
    "less accurate",
    "more accurate",
    "other predictions",
    "other value",
    "slower",
    "faster",
    "other size",
]
WORSE: tuple[Kind, ...] = ("removed", "worse verdict", "less accurate", "slower")
RANKS = {"pass": 0, "inconclusive": 0, "fail": 1, "error": 2}


@dataclass(frozen=True, kw_only=True)
class PredictionChange:
    """A row's predictions in two runs on the same images.

    Attributes:
        flips: on how many images they differ.
        paired: right and wrong of the new beside the old; None for data without labels.
        p: McNemar's exact p-value that as much was lost as gained, corrected; None likewise.
    """

    flips: int
    paired: Paired | None
    p: float | None


@dataclass(frozen=True, kw_only=True)
class UnpairedAccuracies:
    """A row's accuracies in two runs on different images, which say little of each other.

    Attributes:
        old, new: shares in 0…1.
        drop_ci95: 95 % interval of the old less the new (Newcombe 1998), of unrelated images.
    """

    old: float
    new: float
    drop_ci95: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """A row in two runs; `old` or `new` is None where only the other run has it.

    Attributes:
        name: the row's.
        old, new: the row.
        predictions: how they differ; None unless both runs have some, of the same images.
        unpaired: the accuracies where the images are others; None without labels.
        values: of the metric that judges both, old and new, on the same data; None where that is
            the accuracy, or not the same.
        latency: how it changed; None unless both runs timed it on the same machine.
    """

    name: str
    old: Row | None
    new: Row | None
    predictions: PredictionChange | None
    unpaired: UnpairedAccuracies | None
    values: tuple[float, float] | None
    latency: LatencyChange | None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Everything that changed, none if nothing did."""
        return tuple(self._kinds())

    def _kinds(self) -> Iterator[Kind]:
        if self.old is None or self.new is None:
            yield "added" if self.old is None else "removed"
            return
        old, new, predictions = self.old, self.new, self.predictions
        if old.verdict != new.verdict:
            worse = RANKS[new.verdict] > RANKS[old.verdict]
            yield "worse verdict" if worse else "other verdict"
        if predictions and predictions.flips:
            paired, p = predictions.paired, predictions.p
            if paired is None or p is None or p >= SIGNIFICANCE:
                yield "other predictions"
            else:
                yield "less accurate" if paired.drop > 0 else "more accurate"
        if self.values and self.values[0] != self.values[1]:
            yield "other value"
        if self.latency and self.latency.kind in ("slower", "faster"):
            yield "slower" if self.latency.kind == "slower" else "faster"
        if (old.size_bytes, old.gzip_bytes) != (new.size_bytes, new.gzip_bytes):
            yield "other size"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed between two runs.

    Attributes:
        old, new: the runs.
        rows: every row of either, the old run's first.
        same_data: whether both were measured on the same images with the same labels.
        other_machine: what is not the same of the two machines; none if they are one.
        causes: what else differs and may be the cause of a change.
    """

    old: Run
    new: Run
    rows: tuple[RowChange, ...]
    same_data: bool
    other_machine: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def worse(self) -> tuple[RowChange, ...]:
        """The rows of which something got worse."""
        return tuple(row for row in self.rows if set(row.kinds) & set(WORSE))


def find_changes(old: Run, new: Run) -> Changes:
    """Compares two runs row by row; rows of the same name belong together.

    Those of a browser do so too where only its version is another one.
    """
    old = browser_renamed(old, new)
    data, machine = same_data(old, new), other_machine(old.environment, new.environment)
    predictions = _predictions(old, new) if data else {}
    unpaired = {} if data else _unpaired(old, new)
    values = _values(old, new) if data else {}
    latencies = {} if machine else latency_changes(old, new)
    old_rows, new_rows = old.rows, new.rows
    rows = tuple(
        RowChange(
            name=name,
            old=old_rows.get(name),
            new=new_rows.get(name),
            predictions=predictions.get(name),
            unpaired=unpaired.get(name),
            values=values.get(name),
            latency=latencies.get(name),
        )
        for name in dict.fromkeys([*old_rows, *new_rows])
    )
    return Changes(
        old=old,
        new=new,
        rows=rows,
        same_data=data,
        other_machine=machine,
        causes=tuple(causes(old, new)),
    )


def _predictions(old: Run, new: Run) -> dict[str, PredictionChange]:
    pairs = {
        name: (before.predicted, after.predicted)
        for name, (before, after) in shared_rows(old, new).items()
        if before.predicted is not None and after.predicted is not None
    }
    flips = {name: int(np.sum(before != after)) for name, (before, after) in pairs.items()}
    labels = old.data.labels
    if labels is None:
        return {
            name: PredictionChange(flips=count, paired=None, p=None)
            for name, count in flips.items()
        }
    paired = [_paired(before == labels, after == labels) for before, after in pairs.values()]
    p_values = holm([mcnemar_p(found.lost, found.gained) for found in paired])
    return {
        name: PredictionChange(flips=flips[name], paired=found, p=p)
        for name, found, p in zip(pairs, paired, p_values, strict=True)
    }


def _paired(old_right: np.ndarray, new_right: np.ndarray) -> Paired:
    return Paired(
        total=new_right.size,
        correct=int(new_right.sum()),
        lost=int((old_right & ~new_right).sum()),
        gained=int((~old_right & new_right).sum()),
    )


def _values(old: Run, new: Run) -> dict[str, tuple[float, float]]:
    judged_by = [(run.measure.output, run.measure.metric) for run in (old, new)]
    if judged_by[0] != judged_by[1] or old.measure.metric == "accuracy":
        return {}
    return {
        name: (before.value, after.value)
        for name, (before, after) in shared_rows(old, new).items()
        if before.value is not None and after.value is not None
    }


def _unpaired(old: Run, new: Run) -> dict[str, UnpairedAccuracies]:
    found = {}
    for name, (before, after) in shared_rows(old, new).items():
        old_right, new_right = _correct(old, before), _correct(new, after)
        if old_right is None or new_right is None:
            continue
        found[name] = UnpairedAccuracies(
            old=old_right / old.total,
            new=new_right / new.total,
            drop_ci95=newcombe_interval(old_right, old.total, new_right, new.total),
        )
    return found


def _correct(run: Run, row: Row) -> int | None:
    """Returns how many images a row gets right; None without labels or predictions."""
    if run.data.labels is None or row.predicted is None:
        return None
    return int((row.predicted == run.data.labels).sum())
