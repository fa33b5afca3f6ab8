"""How far a file's outputs are from its Keras model's. Light: numpy."""

from dataclasses import dataclass

import numpy as np

MAX_SNR_DB = 999.0  # stands for equal outputs, whose ratio has no number


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Distances between two sets of outputs on the same images.

    Attributes:
        finite: share of outputs that are finite numbers, 0…1.
        agreement: share of images with the same class.
        accuracy_drop: the reference's accuracy less the other's.
        accuracy: the other's accuracy, 0…1.
        max_abs_error: the largest difference of two outputs.
        snr_db: power of the reference over power of the difference, in decibels.
        cosine: mean over images of the cosine similarity.
    """

    finite: float
    agreement: float
    accuracy_drop: float
    accuracy: float
    max_abs_error: float
    snr_db: float
    cosine: float


def distance(outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Distance:
    """Compares outputs with reference outputs.

    Args:
        outputs: (N, classes) float32; what is not finite counts as zero.
        reference: (N, classes) float32.
        labels: (N,) integer classes.
    """
    finite = np.isfinite(outputs)
    found, expected = np.where(finite, outputs, 0).astype(np.float64), reference.astype(np.float64)
    predicted, expected_classes = outputs.argmax(axis=1), reference.argmax(axis=1)
    accuracy = float(np.mean(predicted == labels))
    noise = float(np.sum((found - expected) ** 2))
    signal = float(np.sum(expected**2))
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    products = np.sum(found * expected, axis=1)
    cosines = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)
    snr_db = MAX_SNR_DB
    if noise > 0:
        snr_db = 10 * float(np.log10(signal / noise)) if signal > 0 else -MAX_SNR_DB
    return Distance(
        finite=float(finite.mean()),
        agreement=float(np.mean(predicted == expected_classes)),
        accuracy_drop=float(np.mean(expected_classes == labels)) - accuracy,
        accuracy=accuracy,
        max_abs_error=float(np.abs(found - expected).max()),
        snr_db=snr_db,
        cosine=float(cosines.mean()),
    )
