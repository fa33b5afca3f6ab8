from dataclasses import replace

import numpy as np
import pytest

from export.convert.mixed.judge import Judge, Limits, examples_needed
from export.formats.table import FORMATS
from export.verify.expectation import Expectation
from train.common.intervals import paired_drop_interval
from train.common.tensors import TensorSpec

COUNT = 1_000
LABELS = np.arange(COUNT) % 4
FIRST, SECOND = np.eye(4, dtype=np.float32)[LABELS], np.eye(4, dtype=np.float32)[(LABELS + 1) % 4]
RIGHT = 0.52 * FIRST + 0.48 * SECOND
EXPECTED = Expectation(
    input_specs=(TensorSpec(name="x", shape=(None, 1), dtype="float32"),),
    output_specs=(TensorSpec(name="y", shape=(None, 4), dtype="float32"),),
    weights=10,
    inputs={"x": np.zeros((COUNT, 1), np.float32)},
    labels={"y": LABELS},
    outputs={"y": RIGHT},
)
ENTRY = FORMATS["tflite-int8-mixed"]


def with_wrong(count: int) -> dict[str, np.ndarray]:
    outputs = RIGHT.copy()
    outputs[:count] = (0.48 * FIRST + 0.52 * SECOND)[:count]
    return {"y": outputs}


def test_a_drop_is_judged_by_the_end_of_its_interval_and_not_by_the_point() -> None:
    judge = Judge(entry=ENTRY, expected=EXPECTED, limits=Limits(max_drop=0.01))
    within = [judge.judge(with_wrong(count)).within for count in range(10)]
    assert within[0]
    assert not within[9]  # 0.9 points, within the limit as a point
    most = max(count for count in range(10) if within[count])
    for count in (most, most + 1):
        interval = paired_drop_interval(count, 0, COUNT)
        assert interval is not None
        found = judge.judge(with_wrong(count))
        assert (found.accuracy_drop, found.drop_high) == (count / COUNT, interval[1])
        assert found.within == (interval[1] <= 0.01)


def test_without_labels_the_centred_snr_decides() -> None:
    expected = replace(EXPECTED, labels={})
    judge = Judge(entry=ENTRY, expected=expected, limits=Limits(max_drop=0.01, min_snr_db=30))
    random = np.random.RandomState(0)
    for deviation, within in ((0.005, True), (0.03, False)):
        found = judge.judge({"y": RIGHT + random.normal(0, deviation, RIGHT.shape)})
        assert found.accuracy_drop is None
        assert found.snr_db is not None
        assert (found.snr_db >= 30) == found.within == within


def test_without_labels_it_is_told_whether_the_classes_are_those_of_keras() -> None:
    judge = Judge(entry=ENTRY, expected=replace(EXPECTED, labels={}), limits=Limits(max_drop=0.01))
    for count, agrees in ((10, True), (11, False)):
        found = judge.judge(with_wrong(count))
        assert found.agreement == 1 - count / COUNT
        assert (found.within, found.agrees) == (True, agrees)
        assert "99% of the examples in Keras's class" in found.text
    assert judge.judge(with_wrong(11)).attempt(3).agreement == 1 - 11 / COUNT


def test_what_the_format_would_be_refused_for_is_not_within_the_limits() -> None:
    judge = Judge(entry=ENTRY, expected=EXPECTED, limits=Limits(max_drop=1.0))
    found = judge.judge({"y": RIGHT * 0.2})  # the same classes
    assert found.accuracy_drop == 0
    assert "snr_db" in found.unlike
    assert not found.within
    assert "refused for" in found.text


@pytest.mark.parametrize("limit", [0.05, 0.01, 0.002])
def test_as_many_examples_are_needed_as_can_show_that_nothing_is_lost(limit: float) -> None:
    needed = examples_needed(limit)
    for count, shown in ((needed, True), (needed - 1, False)):
        interval = paired_drop_interval(0, 0, count)
        assert interval is not None
        assert (interval[1] <= limit) == shown
