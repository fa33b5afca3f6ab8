"""Scores outputs that are values, as in regression and reconstruction, an example at a time.

Everything is computed in float64 and in parts, so that arrays in files (`numpy.memmap`) may
be larger than the memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmark.judge.drop import Drop, mean_drop
from benchmark.judge.scoring.metrics import Metric, TaskKind
from benchmark.judge.scoring.scores import Scores, beside

PART_VALUES = 2**20  # 8 MB as float64


@dataclass(frozen=True, kw_only=True)
class Errors:
    """How far outputs are from what they should be, in each of N ≥ 1 examples.

    Attributes:
        absolute: (N,) float64, the mean over an example's values of the absolute error.
        squared: (N,) float64, the mean over an example's values of the squared error.
    """

    absolute: np.ndarray
    squared: np.ndarray

    @property
    def mae(self) -> float:
        """The mean absolute error over all examples, ≥ 0."""
        return float(self.absolute.mean())

    @property
    def rmse(self) -> float:
        """The root of the mean squared error over all examples, ≥ 0."""
        return math.sqrt(self.squared.mean())

    def r2(self, variance: float) -> float | None:
        """The share of the targets' variance that is explained, ≤ 1; None if there is none."""
        return 1 - float(self.squared.mean()) / variance if variance > 0 else None


def score_values(
    outputs: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray,
    *,
    kind: TaskKind,
    metric: Metric,
) -> Scores:
    """Scores values by every metric of their kind.

    Args:
        outputs: (N, …) floats, the export's, N ≥ 1; what is not finite counts as zero.
        reference: the same shape, the Keras model's, finite.
        targets: (N, …) finite numbers, as many; without any, the Keras model's outputs.
        kind: `values` or `outputs`.
        metric: one that fits it.
    """
    export, source = errors_against(outputs, targets), errors_against(reference, targets)
    variance = variance_over_examples(targets)
    drop, undefined = _values_drop(export, source, variance, kind, metric)
    return Scores(
        kind=kind,
        metric=metric,
        figures={
            **beside("mae", export.mae, source.mae),
            **beside("rmse", export.rmse, source.rmse),
            **beside("r2", export.r2(variance), source.r2(variance)),
        },
        drop=drop,
        undefined=undefined,
    )


def _values_drop(
    export: Errors, source: Errors, variance: float, kind: TaskKind, metric: Metric
) -> tuple[Drop | None, str | None]:
    if metric == "r2":
        if variance > 0:
            return r2_drop(export, source, variance), None
        same, remedy = "targets", "give examples that differ, or --metric mae"
        if kind == "outputs":
            same, remedy = "Keras model's outputs", "give inputs on which they differ"
        count = export.squared.size
        return (
            None,
            f"R² is undefined: over the examples ({count:,}) the {same} do not vary; {remedy}",
        )
    drop = (mae_increase if metric == "mae" else rmse_increase)(export, source)
    if drop is not None:
        return drop, None
    return None, (
        f"the increase of {metric.upper()} is undefined: the Keras model's is 0, and the export's "
        "no share of it; give --metric r2, or leave the targets out"
    )


def errors_against(outputs: np.ndarray, targets: np.ndarray) -> Errors:
    """Returns the errors of outputs against targets, or against the Keras model's outputs.

    Args:
        outputs: (N, …) floats, N ≥ 1; what is not finite counts as zero.
        targets: (N, …) finite numbers, as many as the outputs.
    """
    absolute, squared = np.empty(len(outputs)), np.empty(len(outputs))
    for part in _parts(outputs):
        found = _rows(outputs[part])
        errors = np.where(np.isfinite(found), found, 0) - _rows(targets[part])
        absolute[part] = np.abs(errors).mean(axis=1)
        squared[part] = np.square(errors).mean(axis=1)
    return Errors(absolute=absolute, squared=squared)


def variance_over_examples(targets: np.ndarray) -> float:
    """Returns the mean over an example's values of their variance over the examples.

    With it R² is one for all values together, in which each counts by its variance: 0 for a
    model that says each value's mean whatever its input.

    Args:
        targets: (N, …) finite numbers, N ≥ 1.

    Returns:
        ≥ 0; exactly 0 where all examples are the same.
    """
    # less the first example, so that a large common offset costs no digits
    first = _rows(targets[:1])
    means = np.zeros(first.size)
    for part in _parts(targets):
        means += (_rows(targets[part]) - first).sum(axis=0) / len(targets)
    total = sum(
        float(np.square(_rows(targets[part]) - first - means).sum()) for part in _parts(targets)
    )
    return total / (len(targets) * first.size)


def is_finite(values: np.ndarray) -> bool:
    """Returns whether all of (N, …) numbers are finite."""
    return all(bool(np.isfinite(values[part]).all()) for part in _parts(values))


def mae_increase(export: Errors, source: Errors) -> Drop | None:
    """Returns the export's mean absolute error over the Keras model's, less 1.

    Returns:
        None where the Keras model makes no error and the export does.
    """
    return _increase(export.absolute, source.absolute)


def rmse_increase(export: Errors, source: Errors) -> Drop | None:
    """Returns the export's root mean squared error over the Keras model's, less 1.

    The interval's ends are the roots of those of the mean squared errors' ratio.

    Returns:
        None where the Keras model makes no error and the export does.
    """
    found = _increase(export.squared, source.squared)
    if found is None:
        return None
    low, high = (
        None if end is None else math.sqrt(max(0.0, 1 + end)) - 1 for end in (found.low, found.high)
    )
    return replace(found, value=math.sqrt(1 + found.value) - 1, low=low, high=high)


def r2_drop(export: Errors, source: Errors, variance: float) -> Drop:
    """Returns the Keras model's R² less the export's.

    It is the mean over the examples of how much the squared error grows, over the variance of
    the targets. That variance is taken as known: the interval does not hold its uncertainty, of
    about √(2 / N) of drop and interval alike for N normal targets.

    Args:
        export: the errors of the export.
        source: those of the Keras model on the same examples.
        variance: as by `variance_over_examples`, > 0.
    """
    return mean_drop((export.squared - source.squared) / variance)


def _increase(export: np.ndarray, source: np.ndarray) -> Drop | None:
    """The ratio of two means less 1, by the delta method: of the ratio's linear terms."""
    scale = source.mean()
    if scale == 0:
        return None if export.any() else mean_drop(np.zeros(export.size))
    ratio = export.mean() / scale
    # the terms' deviations have the mean zero; so the mean of the whole is the ratio less 1
    return mean_drop(ratio - 1 + (export - ratio * source) / scale)


def _parts(values: np.ndarray) -> Iterator[slice]:
    """Yields slices of examples, of about PART_VALUES values or of one example."""
    step = max(1, PART_VALUES // max(1, math.prod(values.shape[1:])))
    return (slice(start, start + step) for start in range(0, len(values), step))


def _rows(part: np.ndarray) -> np.ndarray:
    return part.reshape(len(part), -1).astype(np.float64)
