from dataclasses import replace

import numpy as np
import pytest

from benchmark.judge.task import ask
from benchmark.judge.tasks import METRICS
from benchmark.options import METRICS as OFFERED
from benchmark.pipeline import BASELINE, gate_of
from tests.benchmark.measure.raw import GATE, questions, reference_of
from train.common.errors import ToolkitError
from train.common.samples import Samples

SOFTMAX = np.full((6, 4), 0.25, np.float32)
LOGITS = np.arange(24, dtype=np.float32).reshape(6, 4)
LABELS = np.arange(6) % 4
ONE = np.linspace(0, 1, 6, dtype=np.float32)[:, np.newaxis]


def test_the_command_offers_every_metric() -> None:
    assert OFFERED == METRICS


def test_the_metric_asked_for_is_the_main_outputs_and_others_where_it_fits() -> None:
    asked = questions(
        {"c": SOFTMAX, "v": LOGITS, "w": LOGITS},
        {"c": LABELS, "v": LOGITS, "w": LOGITS},
    )
    assert [(q.name, q.metric) for q in asked] == [("c", "accuracy"), ("v", "r2"), ("w", "r2")]
    asked = questions({"v": LOGITS, "c": SOFTMAX}, {"v": LOGITS, "c": LABELS}, metric="mae")
    assert [q.metric for q in asked] == ["mae", "accuracy"]
    with pytest.raises(ToolkitError, match=r"got --metric auc for output 'v' .*, expected r2 or"):
        questions({"v": LOGITS, "c": SOFTMAX}, {"v": LOGITS, "c": LABELS}, metric="auc")


def test_only_what_looks_like_classes_tells_classes_without_targets() -> None:
    (softmax,) = questions({"c": SOFTMAX}, {})
    (logits,) = questions({"c": LOGITS}, {})
    (named,) = questions({"c": LOGITS}, {}, labels=("a", "b", "c", "d"))
    (other_names,) = questions({"c": LOGITS}, {}, labels=("a", "b", "c"))
    found = [question.classes for question in (softmax, logits, named, other_names)]
    assert found == [True, False, True, False]
    assert named.class_names == ("a", "b", "c", "d")
    assert other_names.class_names == ()
    assert logits.predicted(LOGITS) is None
    assert logits.distance(LOGITS).agreement is None


def test_a_binary_output_tells_two_classes_by_the_threshold() -> None:
    (question,) = questions({"p": ONE}, {"p": np.array([0, 0, 0, 1, 1, 1])}, threshold=0.3)
    predicted = question.predicted(ONE)
    assert predicted is not None
    assert predicted.tolist() == [0, 0, 1, 1, 1, 1]
    assert question.distance(1 - ONE).agreement == pytest.approx(2 / 6)
    assert question.distance(1 - ONE).accuracy == pytest.approx(1 / 6)


def test_values_tell_no_classes_whatever_their_shape() -> None:
    (question,) = questions({"v": LOGITS}, {"v": LOGITS}, labels=("a", "b", "c", "d"))
    assert (question.task, question.classes, question.labels) == ("values", False, None)
    assert question.class_names == ()


def test_targets_of_no_output_are_refused() -> None:
    test = Samples(inputs={"x": np.zeros((6, 2))}, targets={"other": LABELS})
    with pytest.raises(ToolkitError, match="got targets for output 'other', expected c; rename"):
        ask(reference_of({"c": SOFTMAX}), test)


def test_the_baseline_is_the_reference_jobs_alone() -> None:
    (accuracy,), (top,), (values,), (unlabelled,) = (
        questions({"c": SOFTMAX}, {"c": LABELS}),
        questions({"c": np.ones((6, 8), np.float32)}, {"c": LABELS}, metric="top-5"),
        questions({"v": LOGITS}, {"v": LOGITS}),
        questions({"c": SOFTMAX}, {}),
    )
    assert gate_of(GATE, accuracy, own=False).baseline == BASELINE
    assert gate_of(GATE, unlabelled, own=False).baseline == BASELINE
    assert gate_of(GATE, accuracy, own=True).baseline is None
    assert gate_of(GATE, top, own=False).baseline is None
    given = replace(GATE, baseline=0.7)
    assert gate_of(given, accuracy, own=True).baseline == 0.7
    for question in (top, values):
        with pytest.raises(ToolkitError, match=f"got --baseline and --metric {question.metric}"):
            gate_of(given, question, own=True)
