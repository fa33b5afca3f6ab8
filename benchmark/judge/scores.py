"""An output judged by its metric: an export's figures beside the Keras model's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.judge.auc import compare_areas
from benchmark.judge.classification import Accuracy, compare, compare_binary
from benchmark.judge.drop import Drop, paired_drop
from benchmark.judge.metrics import TOP, Metric, TaskKind
from benchmark.judge.regression import (
    Errors,
    errors_against,
    is_finite,
    mae_increase,
    r2_drop,
    rmse_increase,
    variance_over_examples,
)
from train.common.errors import ArtifactError

THRESHOLD = 0.5
Figures = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How good an output of an export is, beside the Keras model's.

    Attributes:
        kind: what the output is judged as.
        metric: what it is judged by.
        figures: every metric of its kind by name (`accuracy`, `top5_accuracy`, `auc`, `mae`,
            `rmse`, `r2`), the Keras model's with `source_` before it; None where undefined.
            Without targets they are against the Keras model's outputs.
        drop: what the export loses in the metric; None where that is undefined.
        undefined: why it is, and what to do.
        accuracy: of classes and binary, the counts; by top-5 where that is the metric.
    """

    kind: TaskKind
    metric: Metric
    figures: Figures
    drop: Drop | None
    undefined: str | None = None
    accuracy: Accuracy | None = None

    @property
    def value(self) -> float | None:
        """The metric's value of the export."""
        return self.figures[_key(self.metric)]

    @property
    def source_value(self) -> float | None:
        """The metric's value of the Keras model."""
        return self.figures[f"source_{_key(self.metric)}"]

    def as_json(self) -> dict[str, Any]:
        """Returns a flat JSON object, without the counts."""
        return {
            "task": self.kind,
            "metric": self.metric,
            "value": self.value,
            "source_value": self.source_value,
            "drop": self.drop.value if self.drop else None,
            "drop_ci95": self.drop.interval if self.drop else None,
            "undefined": self.undefined,
            **self.figures,
        }


def score_output(
    outputs: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray | None,
    *,
    kind: TaskKind,
    metric: Metric,
    threshold: float = THRESHOLD,
) -> Scores:
    """Returns an output's scores by every metric of its kind.

    Args:
        outputs: (N, …) floats, the export's, N ≥ 1. What is not finite counts as zero, but for
            the accuracies, where it counts as `argmax` takes it.
        reference: the same shape, the Keras model's, finite.
        targets: as `task.kind_of` takes them; None for the kind `outputs`.
        kind: what the output the output as.
        metric: one that `metrics.check_metric` returned for it.
        threshold: of a binary output, above it is a yes.

    Raises:
        ArtifactError: the Keras model's outputs are not finite.
    """
    if not is_finite(reference):
        raise ArtifactError(
            "the Keras model's outputs hold NaN or infinity, expected finite numbers; "
            "train it again, or give inputs that it was made for"
        )
    if targets is None:
        return _score_values(outputs, reference, reference, kind, metric)
    if kind == "values":
        return _score_values(outputs, reference, targets, kind, metric)
    labels = targets.reshape(-1).astype(np.int64)
    if kind == "binary":
        found = compare_binary(outputs, reference, labels, threshold)
    else:
        found = compare(outputs, reference, labels)
    return _score_classes(outputs, reference, labels, found, kind, metric)


def _score_classes(
    outputs: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    found: Accuracy,
    kind: TaskKind,
    metric: Metric,
) -> Scores:
    figures = _beside("accuracy", found.overall.accuracy, found.overall.source_accuracy)
    classes = 2 if kind == "binary" else outputs.shape[1]
    if classes > TOP:
        top = compare(outputs, reference, labels, top_k=TOP)
        figures |= _beside("top5_accuracy", top.overall.accuracy, top.overall.source_accuracy)
        found = top if metric == "top-5" else found
    overall, undefined = found.overall, None
    drop: Drop | None = paired_drop(overall.lost, overall.gained, overall.total)
    if classes == 2:
        areas = compare_areas(_yes_scores(outputs), _yes_scores(reference), labels)
        figures |= _beside("auc", *((areas.value, areas.source_value) if areas else (None, None)))
        if metric == "auc":
            drop = areas.drop if areas else None
            if areas is None:
                undefined = (
                    f"AUC is undefined: all targets are {labels[0]}; give examples of both "
                    "classes, or --metric accuracy"
                )
    return Scores(
        kind=kind,
        metric=metric,
        figures=figures,
        drop=drop,
        undefined=undefined,
        accuracy=found,
    )


def _score_values(
    outputs: np.ndarray, reference: np.ndarray, targets: np.ndarray, kind: TaskKind, metric: Metric
) -> Scores:
    export, source = errors_against(outputs, targets), errors_against(reference, targets)
    variance = variance_over_examples(targets)
    drop, undefined = _values_drop(export, source, variance, kind, metric)
    return Scores(
        kind=kind,
        metric=metric,
        figures={
            **_beside("mae", export.mae, source.mae),
            **_beside("rmse", export.rmse, source.rmse),
            **_beside("r2", export.r2(variance), source.r2(variance)),
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


def _yes_scores(outputs: np.ndarray) -> np.ndarray:
    """What ranks examples by how likely they are of class 1; of two classes, their difference."""
    finite = np.where(np.isfinite(outputs), outputs, 0).astype(np.float64)
    scores: np.ndarray = finite.reshape(len(finite), -1)
    return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]


def _beside(name: str, value: float | None, source_value: float | None) -> Figures:
    return {name: value, f"source_{name}": source_value}


def _key(metric: Metric) -> str:
    return "top5_accuracy" if metric == "top-5" else metric
