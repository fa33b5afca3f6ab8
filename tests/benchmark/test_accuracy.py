import json

import numpy as np
import pytest

from benchmark.accuracy import Paired, calibration_error, compare
from benchmark.statistics import paired_drop_interval, wilson_interval


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
