import numpy as np
import pytest

from benchmark.judge.symptoms import (
    experiment_symptoms,
    input_symptoms,
    output_symptoms,
)

NAMES = ("shirt", "coat", "bag", "boot")
RANDOM = np.random.RandomState(0)
LABELS = RANDOM.randint(0, 4, 400)


def probabilities(classes: np.ndarray, confidence: float = 0.7) -> np.ndarray:
    outputs = np.full((classes.size, 4), (1 - confidence) / 3, np.float32)
    outputs[np.arange(classes.size), classes] = confidence
    return outputs + RANDOM.uniform(0, 0.01, outputs.shape).astype(np.float32)


REFERENCE = probabilities(np.where(RANDOM.rand(400) < 0.9, LABELS, (LABELS + 1) % 4))


def shown(outputs: np.ndarray, labels: np.ndarray | None = LABELS) -> str:
    return "; ".join(output_symptoms(outputs, REFERENCE, labels, NAMES))


def test_an_honest_export_has_no_symptoms() -> None:
    assert shown(REFERENCE) == ""
    assert shown(REFERENCE, None) == ""


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([1, 0, 2, 3], "shirt comes out as coat, coat comes out as shirt"),
        ([3, 0, 1, 2], "permuted: all shifted by 1"),
    ],
)
def test_permuted_classes_are_named(order: list[int], words: str) -> None:
    assert words in shown(REFERENCE[:, order])
    assert words in shown(REFERENCE[:, order], None)


def test_classes_that_are_mixed_up_now_and_then_are_not_permuted() -> None:
    expected = REFERENCE.argmax(axis=1)
    mixed = np.where(np.arange(400) % 5 < 3, (expected + 1) % 4, expected)
    assert "permuted" not in shown(probabilities(mixed))


def test_shifted_labels_are_named() -> None:
    found = shown(REFERENCE, (LABELS + 2) % 4)
    assert "the test labels are not those that the Keras model learnt: all shifted by 2" in found


def test_constant_outputs() -> None:
    assert "the output is constant" in shown(np.full((400, 4), 0.25, np.float32))
    nearly = probabilities(np.full(400, 2))
    assert "nearly constant: bag for 100% of the images" in shown(nearly)


def test_saturated_outputs() -> None:
    outputs = np.eye(4, dtype=np.float32)[REFERENCE.argmax(axis=1)]
    assert "saturated: on 100% of the images" in shown(outputs)


def test_nan_is_the_gates_to_say() -> None:
    outputs = REFERENCE.copy()
    outputs[0, 0] = np.nan
    assert shown(outputs) == ""


def test_clipped_inputs() -> None:
    assert input_symptoms(0.001, 1.0) == []
    assert "12.0% of the input values" in input_symptoms(0.12, 1.0)[0]


def test_inputs_that_hardly_use_their_range() -> None:
    assert input_symptoms(0, 0.5) == []
    (found,) = input_symptoms(0, 0.02)
    assert found.startswith("the inputs take up 2% of the range")
    assert "calibrated on other data" in found


def test_only_a_change_that_explains_the_failure_is_named() -> None:
    (found,) = experiment_symptoms({"transposed": 0.99, "inverted": 0.2}, 0.3, 0.99, "500 images")
    assert found.startswith("with its inputs transposed it agrees with the Keras model on 99.0%")
    assert "% of 500 images, as they are on 30.0%" in found
    assert experiment_symptoms({"transposed": 0.94}, 0.3, 0.99, "500 images") == []
    assert experiment_symptoms({"transposed": 0.975}, 0.97, 0.99, "500 images") == []
    assert experiment_symptoms({"transposed": 0.94}, 0.3, 0.97, "500 images")
    assert experiment_symptoms({}, 0.3, 0.99, "500 images") == []
