"""Limits are refused where nothing can judge them, and get their baseline."""

from dataclasses import replace

import numpy as np
import pytest

from tests.benchmark.measure.raw import LIMITS, tasks
from tests.examples import task
from train.common.errors import DataError, ToolkitError

LABELLED = task(np.eye(3, dtype=np.float32), np.arange(3))
UNLABELLED = task(np.eye(3, dtype=np.float32))
SOFTMAX = np.full((6, 4), 0.25, np.float32)
LOGITS = np.arange(24, dtype=np.float32).reshape(6, 4)
LABELS = np.arange(6) % 4


def test_a_limit_of_latency_is_refused_on_an_emulated_machine() -> None:
    limited = replace(LIMITS, max_latency_us=9.0)
    limited.checked(LABELLED, None, emulated=False)
    LIMITS.checked(LABELLED, None, emulated=True)
    with pytest.raises(ToolkitError, match="got --max-latency-us on an emulated machine"):
        limited.checked(LABELLED, None, emulated=True)


@pytest.mark.parametrize("name", ["max_drop", "min_agreement", "max_drop_per_class"])
def test_limits_that_need_labels_are_refused_without_them(name: str) -> None:
    limited = replace(LIMITS, **{name: 0.1})
    limited.checked(LABELLED, None, emulated=False)
    option = "--" + name.replace("_", "-")
    with pytest.raises(DataError, match=f"got {option} and data without labels"):
        limited.checked(UNLABELLED, None, emulated=False)
    replace(LIMITS, max_size_kb=1.0).checked(UNLABELLED, None, emulated=False)


@pytest.mark.parametrize("name", ["min_agreement", "max_drop_per_class"])
def test_limits_of_classes_are_refused_where_there_are_none(name: str) -> None:
    limited = replace(LIMITS, **{name: 0.1})
    values = replace(LABELLED, kind="values", metric="mae", has_classes=False)
    option = "--" + name.replace("_", "-")
    with pytest.raises(ToolkitError, match=f"got {option} for output .* tells no classes"):
        limited.checked(values, None, emulated=False)
    replace(LIMITS, max_drop=0.1).checked(values, None, emulated=False)


def test_a_default_baseline_is_of_the_accuracy_alone() -> None:
    (accuracy,), (top,), (values,), (unlabelled,) = (
        tasks({"c": SOFTMAX}, {"c": LABELS}),
        tasks({"c": np.ones((6, 8), np.float32)}, {"c": LABELS}, metric="top-5"),
        tasks({"v": LOGITS}, {"v": LOGITS}),
        tasks({"c": SOFTMAX}, {}),
    )
    assert LIMITS.checked(accuracy, 0.9, emulated=False).baseline == 0.9
    assert LIMITS.checked(unlabelled, 0.9, emulated=False).baseline == 0.9
    assert LIMITS.checked(accuracy, None, emulated=False).baseline is None
    assert LIMITS.checked(top, 0.9, emulated=False).baseline is None
    given = replace(LIMITS, baseline=0.7)
    assert given.checked(accuracy, 0.9, emulated=False).baseline == 0.7
    for other in (top, values):
        with pytest.raises(ToolkitError, match=f"got --baseline and --metric {other.metric}"):
            given.checked(other, None, emulated=False)
