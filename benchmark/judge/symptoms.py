"""Names what looks wrong with an export's inputs or outputs, so that its user knows where to look.

Symptoms of the outputs are read off; causes on the input side are found by experiment:
`benchmark/measure/experiments.py` changes the inputs in the ways that deployments get wrong, and a
change that brings the Keras model's predictions back is named.
"""

from collections.abc import Mapping

import numpy as np

MAX_CLIPPED_SHARE = 0.001
CONSTANT_SHARE = 0.98  # of images in one class, while the Keras model says so of far fewer
SATURATED_SHARE = 0.2  # of images at full confidence, while the Keras model hesitates
CONFIDENT, HESITANT = 0.99, 0.9
MOST_PROBABLE = 1.01  # what is larger is no probability
MIN_INPUT_USE = 0.5  # of the range that the input can hold
EXPLAINED_SHARE = 0.8  # of the images, by a permutation of the classes
# Inputs that bring back about the agreement that the file had when it was verified explain it.
EXPERIMENT_FLIPS_FACTOR = 1.5
EXPERIMENT_FLIPS_SLACK = 0.02


def input_symptoms(clipped_share: float, use: float) -> list[str]:
    """Returns what is wrong with how inputs were quantized.

    Args:
        clipped_share: share of the input values that the input's scale and zero point clip, 0…1.
        use: how much of the range that they can hold the inputs take up, 0…1.
    """
    found = []
    if clipped_share > MAX_CLIPPED_SHARE:
        found.append(
            f"{clipped_share:.1%} of the input values lie outside the range that the input's scale "
            "and zero point can hold: wrong input quantization, or normalization missing"
        )
    if use < MIN_INPUT_USE:
        found.append(
            f"the inputs take up {use:.0%} of the range that the input's scale and zero point can "
            "hold: wrong input quantization, calibrated on other data, or normalization doubled"
        )
    return found


def output_symptoms(
    outputs: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray | None,
    class_names: tuple[str, ...],
    examples: str = "images",
) -> list[str]:
    """Returns what looks wrong with the outputs of an export that fails.

    Args:
        outputs: (N, classes) float32, the export's, N ≥ 1.
        reference: (N, classes) float32, the Keras model's.
        labels: (N,) integer classes, if there are any.
        class_names: the classes' names.
        examples: what the test data is made of.
    """
    if not np.isfinite(outputs).all():
        return []
    if np.ptp(outputs, axis=0).max() == 0:
        return [f"the output is constant: the same for every {examples[:-1]}"]
    predicted, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    found = []
    classes = outputs.shape[1]
    counts = np.bincount(predicted, minlength=classes) / predicted.size
    most = int(counts.argmax())
    if counts[most] > CONSTANT_SHARE > 2 * np.mean(expected == most):
        found.append(
            f"the prediction is nearly constant: {_name(most, class_names)} for "
            f"{counts[most]:.0%} of the {examples}"
        )
    saturated = (outputs.max(axis=1) >= CONFIDENT) & (reference.max(axis=1) < HESITANT)
    if saturated.mean() > SATURATED_SHARE and reference.max() < MOST_PROBABLE:
        found.append(
            f"outputs are saturated: on {saturated.mean():.0%} of the {examples} the export is at "
            "full confidence where the Keras model hesitates"
        )
    permuted = _permutation(predicted, expected, classes)
    if permuted is not None:
        found.append(f"output classes are permuted: {_describe(permuted, class_names)}")
    if labels is not None:
        permuted = _permutation(expected, labels, classes)
        if permuted is not None:
            found.append(
                "the test labels are not those that the Keras model learnt: "
                + _describe(permuted, class_names)
            )
    return found


def value_symptoms(outputs: np.ndarray, reference: np.ndarray, examples: str) -> list[str]:
    """Returns what looks wrong with outputs, (N, …) floats, that tell no classes."""
    if np.ptp(outputs, axis=0).max() == 0 and np.ptp(reference, axis=0).max() > 0:
        return [f"the output is constant: the same for every {examples[:-1]}"]
    return []


def experiment_symptoms(
    agreement: Mapping[str, float], unchanged: float, verified: float, tried: str
) -> list[str]:
    """Returns the change of inputs, if any, with which an export agrees with the Keras model.

    Args:
        agreement: share of some examples with the Keras model's prediction, 0…1, by the change.
        unchanged: the same for the inputs as they are.
        verified: the same when the file was verified.
        tried: how many examples, as "500 images".
    """
    if not agreement:
        return []
    best = max(agreement, key=lambda name: agreement[name])
    least = 1 - (1 - verified) * EXPERIMENT_FLIPS_FACTOR - EXPERIMENT_FLIPS_SLACK
    if agreement[best] < max(least, unchanged + 0.01):
        return []
    return [
        f"with its inputs {best} it agrees with the Keras model on {agreement[best]:.1%} of "
        f"{tried}, as they are on {unchanged:.1%}"
    ]


def _permutation(found: np.ndarray, expected: np.ndarray, classes: int) -> np.ndarray | None:
    """Returns which class `found` has for each of `expected`, if that is a true permutation."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (expected, found), 1)
    mapped = table.argmax(axis=1)
    explained = table[np.arange(classes), mapped].sum() / found.size
    if len(set(mapped)) < classes or (mapped == np.arange(classes)).all():
        return None
    return mapped if explained >= EXPLAINED_SHARE else None


def _describe(mapped: np.ndarray, class_names: tuple[str, ...]) -> str:
    classes = mapped.size
    shift = int((mapped[0] - 0) % classes)
    if shift and ((mapped - np.arange(classes)) % classes == shift).all():
        return f"all shifted by {shift}"
    pairs = [
        f"{_name(label, class_names)} comes out as {_name(int(other), class_names)}"
        for label, other in enumerate(mapped)
        if label != other
    ]
    return ", ".join(pairs)


def _name(label: int, class_names: tuple[str, ...]) -> str:
    return class_names[label] if label < len(class_names) else f"class {label}"
