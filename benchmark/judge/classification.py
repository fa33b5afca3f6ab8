"""Compares an export's predictions with the labels and, image by image, with the Keras model's."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmark.judge.statistics import mcnemar_p, paired_drop_interval, wilson_interval
from export.verify.distance import are_classes

ECE_BINS = 15


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Right and wrong of an export and of the Keras model on the same images.

    Attributes:
        total: how many images, > 0.
        correct: how many the export gets right.
        lost: how many the Keras model gets right and the export wrong.
        gained: how many the Keras model gets wrong and the export right.
    """

    total: int
    correct: int
    lost: int
    gained: int

    @property
    def accuracy(self) -> float:
        """The share of images that the export gets right, 0…1."""
        return self.correct / self.total

    @property
    def source_accuracy(self) -> float:
        """The share of images that the Keras model gets right, 0…1."""
        return (self.correct + self.lost - self.gained) / self.total

    @property
    def drop(self) -> float:
        """The Keras model's accuracy less the export's."""
        return (self.lost - self.gained) / self.total

    def as_json(self) -> dict[str, Any]:
        """Returns the counts, the drop and its interval as a JSON object."""
        interval = paired_drop_interval(self.lost, self.gained, self.total)
        return {**asdict(self), "drop": self.drop, "drop_ci95": interval}


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How an export classifies the test images, beside the Keras model; shares in 0…1.

    Attributes:
        overall: over all images.
        classes: the same for the images of each class, by the class's number; no empty ones.
        agreeing: on how many images both predict the same class.
        ece: expected calibration error of the export's confidence; None where its outputs are
            no probabilities.
        source_ece: the same of the Keras model.
    """

    overall: Paired
    classes: dict[int, Paired]
    agreeing: int
    ece: float | None
    source_ece: float | None

    @property
    def agreement(self) -> float:
        """The share of images on which both predict the same class."""
        return self.agreeing / self.overall.total

    @property
    def worst_class(self) -> int:
        """The class with the largest drop, the first of equals."""
        return max(self.classes, key=lambda label: self.classes[label].drop)

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object, flat but for the classes."""
        overall = self.overall
        return {
            "correct": overall.correct,
            "total": overall.total,
            "lost": overall.lost,
            "gained": overall.gained,
            "accuracy": overall.accuracy,
            "accuracy_ci95": wilson_interval(overall.correct, overall.total),
            "drop_vs_source": overall.drop,
            "drop_ci95": paired_drop_interval(overall.lost, overall.gained, overall.total),
            "mcnemar_p": mcnemar_p(overall.lost, overall.gained),
            "agreement": self.agreement,
            "agreement_ci95": wilson_interval(self.agreeing, overall.total),
            "ece": self.ece,
            "source_ece": self.source_ece,
            "worst_class_drop": self.classes[self.worst_class].drop,
            "worst_class": self.worst_class,
            "classes": {str(label): paired.as_json() for label, paired in self.classes.items()},
        }


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
    predicted, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    right, reference_right = (in_top(found, labels, top_k) for found in (outputs, reference))

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
        agreeing=int(np.sum(predicted == expected)),
        ece=calibration_error(outputs, labels),
        source_ece=calibration_error(reference, labels),
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
