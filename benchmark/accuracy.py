"""Compares an export's predictions with the labels and, image by image, with the Keras model's."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.statistics import mcnemar_p, paired_drop_interval, wilson_interval

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


def compare(outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Compares two sets of outputs on the same images.

    Args:
        outputs: (N, classes) float32, the export's, N ≥ 1.
        reference: (N, classes) float32, the Keras model's.
        labels: (N,) integer classes.
    """
    predicted, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    right, reference_right = predicted == labels, expected == labels

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


def calibration_error(outputs: np.ndarray, labels: np.ndarray) -> float | None:
    """Returns the expected calibration error: how far confidence is from accuracy, 0…1.

    The mean over 15 equal-width bins of confidence of |accuracy - mean confidence|, weighted by
    the bins' images (Guo et al. 2017, arXiv:1706.04599).

    Args:
        outputs: (N, classes) float32.
        labels: (N,) integer classes.

    Returns:
        None where an output is no probability: not finite, or outside 0…1 by more than 1 %.
    """
    if not np.isfinite(outputs).all() or outputs.min() < -0.01 or outputs.max() > 1.01:
        return None
    confidence = outputs.max(axis=1).clip(0, 1).astype(np.float64)
    right = (outputs.argmax(axis=1) == labels).astype(np.float64)
    # bin i holds the confidences in (i/15, (i + 1)/15], as in the paper
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / labels.size)
