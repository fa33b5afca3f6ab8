"""Scores classes against the labels and, example by example, beside the Keras model's."""

from dataclasses import replace

import numpy as np

from benchmark.judge.drop import Drop, paired_drop
from benchmark.judge.scoring.auc import compare_areas
from benchmark.judge.scoring.metrics import TOP, Metric, TaskKind
from benchmark.judge.scoring.scores import Accuracy, Paired, Scores, beside
from export.verify.distance import are_classes

ECE_BINS = 15


def score_classes(
    outputs: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    *,
    kind: TaskKind,
    metric: Metric,
    threshold: float,
    exact: bool = False,
) -> Scores:
    """Scores outputs that tell classes by every metric of their kind.

    Args:
        outputs: (N, …) floats, the export's, N ≥ 1. For AUC what is not finite counts as zero, for
            the accuracies as `argmax` takes it. Where they are `exact`, the classes themselves.
        reference: the same shape, the Keras model's, finite.
        labels: (N,) integer classes.
        kind: `classes` or `binary`.
        metric: one that fits it.
        threshold: of a binary output, above it is a yes.
        exact: whether outputs are the classes themselves, (N,) or (N, 1).
    """
    if exact:
        found = compare_classes(outputs.reshape(-1), reference.reshape(-1), labels)
    elif kind == "binary":
        found = compare_binary(outputs, reference, labels, threshold)
    else:
        found = compare(outputs, reference, labels)
    figures = beside("accuracy", found.overall.accuracy, found.overall.source_accuracy)
    classes = 0 if exact else 2 if kind == "binary" else outputs.shape[1]
    if classes > TOP:
        top = compare(outputs, reference, labels, top_k=TOP)
        figures |= beside("top5_accuracy", top.overall.accuracy, top.overall.source_accuracy)
        found = top if metric == "top-5" else found
    overall, undefined = found.overall, None
    drop: Drop | None = paired_drop(overall.lost, overall.gained, overall.total)
    if classes == 2:
        areas = compare_areas(_yes_scores(outputs), _yes_scores(reference), labels)
        figures |= beside("auc", *((areas.value, areas.source_value) if areas else (None, None)))
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


def _yes_scores(outputs: np.ndarray) -> np.ndarray:
    """What ranks examples by how likely they are of class 1; of two classes, their difference."""
    finite = np.where(np.isfinite(outputs), outputs, 0).astype(np.float64)
    scores: np.ndarray = finite.reshape(len(finite), -1)
    return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]


def compare(
    outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray, *, top_k: int = 1
) -> Accuracy:
    """Compares two sets of outputs on the same images.

    Args:
        outputs: (N, classes) float32, the export's, N ≥ 1.
        reference: (N, classes) float32, the Keras model's.
        labels: (N,) integer classes.
        top_k: an image is right whose class is among so many largest outputs, 1…classes. The
            agreement and the calibration errors are of the largest alone.
    """
    right, reference_right = (in_top(found, labels, top_k) for found in (outputs, reference))
    return _accuracy(
        right,
        reference_right,
        labels,
        agreeing=int(np.sum(outputs.argmax(axis=1) == reference.argmax(axis=1))),
        ece=calibration_error(outputs, labels),
        source_ece=calibration_error(reference, labels),
    )


def compare_classes(predicted: np.ndarray, expected: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Compares an export's classes with the Keras model's, (N,) each, and with the labels."""
    agreeing = int(np.sum(predicted == expected))
    return _accuracy(predicted == labels, expected == labels, labels, agreeing=agreeing)


def _accuracy(
    right: np.ndarray,
    reference_right: np.ndarray,
    labels: np.ndarray,
    *,
    agreeing: int,
    ece: float | None = None,
    source_ece: float | None = None,
) -> Accuracy:
    def paired(chosen: np.ndarray) -> Paired:
        return Paired(
            total=int(chosen.sum()),
            correct=int((right & chosen).sum()),
            lost=int((reference_right & ~right & chosen).sum()),
            gained=int((~reference_right & right & chosen).sum()),
        )

    return Accuracy(
        overall=paired(np.ones_like(right)),
        classes={int(label): paired(labels == label) for label in np.unique(labels)},
        agreeing=agreeing,
        ece=ece,
        source_ece=source_ece,
    )


def compare_binary(
    outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray, threshold: float
) -> Accuracy:
    """Compares two sets of outputs that say yes or no; class 1 is yes.

    The calibration errors are of the probability that the outputs give to the class predicted,
    p or 1 - p, whatever the threshold.

    Args:
        outputs: (N,) or (N, 1) float32, the export's, N ≥ 1.
        reference: likewise, the Keras model's.
        labels: (N,) integers, 0 or 1.
        threshold: an output above it is a yes.
    """
    found, expected = (as_classes(values, threshold) for values in (outputs, reference))
    ece, source_ece = (
        calibration_error(as_classes(values, 0.5), labels, scores.argmax(axis=1))
        for values, scores in ((outputs, found), (reference, expected))
    )
    return replace(compare(found, expected, labels), ece=ece, source_ece=source_ece)


def as_classes(outputs: np.ndarray, threshold: float) -> np.ndarray:
    """Returns scores of the classes no and yes whose largest is the class by the threshold.

    Yes has the output p itself, no has 2 * threshold - p, which is p mirrored at the threshold:
    1 - p at 0.5, -p at 0 for an output without a sigmoid. At other thresholds the two are no
    probabilities, but their order is exact in any precision. An output of exactly the threshold
    is a no, as in Keras's `BinaryAccuracy`.

    Args:
        outputs: (N,) or (N, 1) floats.
        threshold: an output above it is a yes; rounded to the outputs' precision.

    Returns:
        (N, 2), of the outputs' dtype.
    """
    yes = outputs.reshape(-1)
    return np.stack([2 * threshold - yes, yes], axis=1)


def predicted_classes(outputs: np.ndarray, threshold: float) -> np.ndarray:
    """Returns the class of each example, (N,) integers.

    Args:
        outputs: (N, C) floats, the largest of which is the class; or (N,) or (N, 1).
        threshold: above it an output of one value is class 1.
    """
    scores = outputs if are_classes(outputs.shape) else as_classes(outputs, threshold)
    found: np.ndarray = scores.argmax(axis=1)
    return found


def in_top(outputs: np.ndarray, labels: np.ndarray, top_k: int) -> np.ndarray:
    """Returns of each image whether its class is among the `top_k` largest outputs.

    Of equal outputs the first counts as the larger and NaN as infinite, about as in
    `argmax`.

    Args:
        outputs: (N, classes) floats.
        labels: (N,) integer classes.
        top_k: 1…classes.

    Returns:
        (N,) bool.
    """
    if top_k == 1:
        first: np.ndarray = outputs.argmax(axis=1) == labels
        return first
    scores = np.where(np.isnan(outputs), np.inf, outputs)
    columns = labels.astype(np.int64)[:, np.newaxis]
    own = np.take_along_axis(scores, columns, axis=1)
    before = np.arange(scores.shape[1]) < columns
    rank = np.sum((scores > own) | ((scores == own) & before), axis=1)
    inside: np.ndarray = rank < top_k
    return inside


def calibration_error(
    outputs: np.ndarray, labels: np.ndarray, predicted: np.ndarray | None = None
) -> float | None:
    """Returns the expected calibration error: how far confidence is from accuracy, 0…1.

    The mean over 15 equal-width bins of confidence of |accuracy - mean confidence|, weighted by
    the bins' images (Guo et al. 2017, arXiv:1706.04599).

    Args:
        outputs: (N, classes) float32.
        labels: (N,) integer classes.
        predicted: (N,) the classes predicted; None for those of the largest outputs.

    Returns:
        None where an output is no probability: not finite, or outside 0…1 by more than 1 %.
    """
    if not np.isfinite(outputs).all() or outputs.min() < -0.01 or outputs.max() > 1.01:
        return None
    predicted = outputs.argmax(axis=1) if predicted is None else predicted
    confidence = outputs[np.arange(labels.size), predicted].clip(0, 1).astype(np.float64)
    right = (predicted == labels).astype(np.float64)
    # bin i holds the confidences in (i/15, (i + 1)/15], as in the paper
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / labels.size)
