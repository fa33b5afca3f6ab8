"""How far a file's outputs are from its Keras model's."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

MAX_SNR_DB = 999.0  # stands for equal outputs, whose ratio has no number
CHUNK_EXAMPLES = 256  # of outputs that may be larger than memory
FLOAT32_STEPS = 4  # by which numbers of float32 may differ that are meant to be the same
PROBABILITIES_SLACK = 0.01  # of their sum, in one


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Distances between two sets of outputs on the same examples.

    Attributes:
        finite: share of outputs that are finite numbers, 0…1.
        agreement: share of examples with the same class, of exact outputs share of equal values;
            None where the outputs are no classes: there are no labels, and they are not
            probabilities.
        accuracy_drop: the reference's accuracy less the other's; None without labels.
        accuracy: the other's accuracy, 0…1; None without labels.
        max_abs_error: the largest difference of two outputs.
        span: the reference's largest output less its least.
        snr_db: power of the reference over power of the difference, in decibels.
        centred_snr_db: the same once the mean over the examples is taken off the reference: by
            how much an answer that never changes falls short, which `snr_db` hides. -999 where
            the reference itself is the same for all examples, and the other outputs are not equal.
        cosine: mean over examples of the cosine similarity; where an output is a single number,
            whose cosine is its sign, that of all examples' numbers.
    """

    finite: float
    agreement: float | None
    accuracy_drop: float | None
    accuracy: float | None
    max_abs_error: float
    span: float
    snr_db: float
    centred_snr_db: float
    cosine: float

    @property
    def is_constant(self) -> bool:
        """Whether the reference is the same for all examples, so that nothing can be centred."""
        return self.centred_snr_db == -MAX_SNR_DB

    @property
    def flips(self) -> float:
        """Share of examples that get another class, 0…1; 0 where the outputs are no classes."""
        return 0.0 if self.agreement is None else 1 - self.agreement

    def as_json(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        fields = asdict(self)
        return {("variation_db" if k == "centred_snr_db" else k): v for k, v in fields.items()}


def are_classes(shape: tuple[int | None, ...]) -> bool:
    """Returns whether an output's shape, the batch first, is (N, C), C > 1: one score per class."""
    return len(shape) == 2 and (shape[1] or 0) > 1


def are_probabilities(outputs: np.ndarray) -> bool:
    """Returns whether each row of (N, C) is as a softmax makes it."""
    if not are_classes(outputs.shape) or outputs.min() < 0:
        return False
    return bool((np.abs(outputs.sum(axis=1) - 1) <= PROBABILITIES_SLACK).all())


def float32_noise(mean: np.ndarray) -> np.ndarray:
    """Returns the power of differences that float32 cannot tell from none, for each number."""
    noise: np.ndarray = (FLOAT32_STEPS * float(np.finfo(np.float32).eps) * mean) ** 2
    return noise


def classes_in(outputs: np.ndarray, *, exact: bool) -> np.ndarray:
    """Returns the class of each example, (N,): the largest of (N, classes), or what is there."""
    found: np.ndarray = outputs.reshape(-1) if exact else outputs.argmax(axis=1)
    return found


def distance(
    outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray | None, *, exact: bool = False
) -> Distance:
    """Compares outputs with reference outputs.

    Args:
        outputs: (N, …) numbers; what is not finite counts as zero.
        reference: the same of the reference, all finite.
        labels: (N,) integer classes, if there are any, of outputs (N, classes), or of exact ones
            with a single value each.
        exact: whether values are indices or classes, which are the same or another.
    """
    agreement = accuracy = drop = None
    if exact:
        agreement = float(np.mean(outputs == reference))
    elif labels is not None or are_probabilities(reference):
        same = classes_in(outputs, exact=False) == classes_in(reference, exact=False)
        agreement = float(np.mean(same))
    if labels is not None:
        accuracy = float(np.mean(classes_in(outputs, exact=exact) == labels))
        drop = float(np.mean(classes_in(reference, exact=exact) == labels)) - accuracy
    count, size = len(reference), reference[0].size
    mean = np.asarray(np.mean(reference.reshape(count, size), axis=0, dtype=np.float64))
    finite = noise = signal = power = product = variation = cosines = largest = 0.0
    for start in range(0, count, CHUNK_EXAMPLES):
        part = outputs[start : start + CHUNK_EXAMPLES].reshape(-1, size)
        wanted = reference[start : start + CHUNK_EXAMPLES].reshape(-1, size).astype(np.float64)
        is_finite = np.isfinite(part)
        found = np.where(is_finite, part, 0).astype(np.float64)
        difference = found - wanted
        finite += float(is_finite.sum())
        noise += float(np.sum(difference**2))
        signal += float(np.sum(wanted**2))
        power += float(np.sum(found**2))
        product += float(np.sum(found * wanted))
        variation += float(np.sum((wanted - mean) ** 2))
        largest = max(largest, float(np.abs(difference).max()))
        norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        products = np.sum(found * wanted, axis=1)
        similar = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)
        cosines += float(np.where(np.any(difference, axis=1), similar, 1).sum())
    if variation <= count * float(float32_noise(mean).sum()):
        variation = 0.0
    return Distance(
        finite=finite / (count * size),
        agreement=agreement,
        accuracy_drop=drop,
        accuracy=accuracy,
        max_abs_error=largest,
        span=float(reference.max() - reference.min()),
        snr_db=_decibels(signal, noise),
        centred_snr_db=_decibels(variation, noise),
        cosine=cosines / count if size > 1 else _cosine(product, signal, power),
    )


def _cosine(product: float, signal: float, power: float) -> float:
    if signal == power == 0:
        return 1.0
    return product / float(np.sqrt(signal * power)) if signal > 0 and power > 0 else 0.0


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return MAX_SNR_DB
    return 10 * float(np.log10(signal / noise)) if signal > 0 else -MAX_SNR_DB
