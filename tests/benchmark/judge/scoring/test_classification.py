import json

import numpy as np
import pytest

from benchmark.judge.scoring.classification import (
    as_classes,
    calibration_error,
    compare,
    compare_binary,
    in_top,
)
from benchmark.judge.scoring.scores import Paired
from benchmark.judge.statistics import wilson_interval
from train.common.intervals import paired_drop_interval


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes]


LABELS = np.array([0, 1, 2, 0, 1])
SOURCE = one_hot([0, 1, 2, 1, 1])  # 4 right
EXPORT = one_hot([0, 1, 1, 0, 2])  # 3 right: gains one, loses two


def test_counts_drop_and_agreement() -> None:
    found = compare(EXPORT, SOURCE, LABELS)
    assert found.overall == Paired(total=5, correct=3, lost=2, gained=1)
    assert found.overall.accuracy == 0.6
    assert found.overall.drop == pytest.approx(0.2)
    assert found.agreement == pytest.approx(0.4)


def test_every_class_is_compared_with_itself() -> None:
    found = compare(EXPORT, SOURCE, LABELS)
    assert found.classes == {
        0: Paired(total=2, correct=2, lost=0, gained=1),
        1: Paired(total=2, correct=1, lost=1, gained=0),
        2: Paired(total=1, correct=0, lost=1, gained=0),
    }
    assert found.worst_class == 2
    assert found.classes[found.worst_class].drop == 1


def test_the_json_holds_every_figure_and_its_interval() -> None:
    content = json.loads(json.dumps(compare(EXPORT, SOURCE, LABELS).as_json()))
    assert content["correct"] == 3
    assert content["drop_ci95"] == list(paired_drop_interval(2, 1, 5) or ())
    assert content["accuracy_ci95"] == list(wilson_interval(3, 5))
    assert content["agreement_ci95"] == list(wilson_interval(2, 5))
    assert content["mcnemar_p"] == 1
    assert content["worst_class"] == 2
    assert content["classes"]["1"]["lost"] == 1


def test_calibration_error_by_hand() -> None:
    """Two bins: three at 0.9 with two right, one at 0.5 that is wrong."""
    outputs = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.5, 0.5]], np.float32)
    labels = np.array([0, 0, 0, 1])
    expected = 3 / 4 * abs(0.9 - 2 / 3) + 1 / 4 * abs(0.5 - 0)
    assert calibration_error(outputs, labels) == pytest.approx(expected)


def test_perfect_confidence_has_no_error() -> None:
    assert calibration_error(one_hot([0, 1, 2]), np.array([0, 1, 2])) == 0


@pytest.mark.parametrize("value", [np.nan, 1.2, -0.2])
def test_outputs_that_are_no_probabilities_have_no_calibration_error(value: float) -> None:
    outputs = one_hot([0, 1, 2])
    outputs[0, 0] = value
    assert calibration_error(outputs, np.array([0, 1, 2])) is None


def test_top_k_counts_what_is_among_the_largest() -> None:
    random = np.random.default_rng(0)
    outputs, reference = random.random((2, 400, 7)).astype(np.float32)
    labels = random.integers(0, 7, 400)
    for k in (1, 2, 5, 7):
        right, reference_right = (
            np.array([label in row[:k] for label, row in zip(labels, order, strict=True)])
            for order in (np.argsort(-values, axis=1) for values in (outputs, reference))
        )
        found = compare(outputs, reference, labels, top_k=k)
        assert found.overall == Paired(
            total=400,
            correct=int(right.sum()),
            lost=int((reference_right & ~right).sum()),
            gained=int((~reference_right & right).sum()),
        )
        assert found.overall.source_accuracy == pytest.approx(reference_right.mean())
        assert found.agreeing == compare(outputs, reference, labels).agreeing


def test_of_equal_outputs_the_first_are_the_largest() -> None:
    """As by `argmax`; an int8 output ties often."""
    outputs = np.array([[0.2, 0.5, 0.2, 0.2]] * 4, np.float32)
    expected = {1: [1], 2: [0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}
    for k, right in expected.items():
        assert np.flatnonzero(in_top(outputs, np.arange(4), k)).tolist() == right


@pytest.mark.parametrize("k", [1, 2])
def test_a_nan_is_the_largest_output(k: int) -> None:
    """So that an output that is NaN throughout is wrong but for the first k classes."""
    outputs = np.full((4, 4), np.nan, np.float32)
    assert in_top(outputs, np.arange(4), k).sum() == k


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.001, 0.0, -2.5, 7.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_scores_of_yes_and_no_are_in_the_order_of_the_threshold(
    threshold: float, dtype: type
) -> None:
    """To the last bit around it."""
    near: np.ndarray = np.array([threshold], dtype)
    outputs = np.concatenate([near, np.nextafter(near, 9), np.nextafter(near, -9), [-50, 0, 1, 50]])
    scores = as_classes(outputs.astype(dtype)[:, None], threshold)
    assert scores.argmax(axis=1).tolist() == [0, 1, 0, *(np.array([-50, 0, 1, 50]) > threshold)]


def test_at_a_half_the_scores_are_the_probabilities() -> None:
    assert as_classes(np.array([0.25, 1]), 0.5).tolist() == [[0.75, 0.25], [0, 1]]


def test_binary_outputs_by_a_threshold() -> None:
    """At 0.3: all four yes by the Keras model, by the export the last three."""
    labels = np.array([0, 1, 1, 0])
    outputs = np.array([[0.2], [0.4], [0.9], [0.4]], np.float32)
    reference = np.array([[0.4], [0.4], [0.9], [0.9]], np.float32)
    found = compare_binary(outputs, reference, labels, 0.3)
    assert found.overall == Paired(total=4, correct=3, lost=0, gained=1)
    assert found.agreeing == 3
    assert set(found.classes) == {0, 1}
    # confidences 0.8 right, 0.4 right and wrong, 0.9 right; no threshold changes a probability
    assert found.ece == pytest.approx((0.2 + abs(0.6 - 0.4) + 0.1) / 4)
    assert compare_binary(outputs * 9, reference, labels, 0.3).ece is None
