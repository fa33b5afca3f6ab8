"""Compares an export's predictions with the labels and, image by image, with the Keras model's."""

from dataclasses import dataclass

import numpy as np

from benchmark.statistics import paired_drop_interval


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How an export classifies `total` test images; shares in 0…1.

    Attributes:
        correct: how many it gets right.
        finite: whether every output is a finite number.
        drop_vs_source: the Keras model's accuracy less the export's, on the same images.
        drop_ci95: the drop's 95 % interval; None without images.
        agreement: share of images on which both predict the same class.
    """

    correct: int
    total: int
    finite: bool
    drop_vs_source: float
    drop_ci95: tuple[float, float] | None
    agreement: float

    @property
    def accuracy(self) -> float:
        """The share of images it gets right."""
        return self.correct / self.total


def compare(outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Compares two sets of outputs on the same images.

    Args:
        outputs: (N, classes) float32, the export's, N ≥ 1.
        reference: (N, classes) float32, the Keras model's.
        labels: (N,) integer classes.
    """
    predicted, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    right, reference_right = predicted == labels, expected == labels
    lost = int(np.sum(reference_right & ~right))
    gained = int(np.sum(~reference_right & right))
    return Accuracy(
        correct=int(right.sum()),
        total=int(labels.size),
        finite=bool(np.isfinite(outputs).all()),
        drop_vs_source=(lost - gained) / labels.size,
        drop_ci95=paired_drop_interval(lost, gained, int(labels.size)),
        agreement=float(np.mean(predicted == expected)),
    )
