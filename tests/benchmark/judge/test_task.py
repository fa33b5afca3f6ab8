import numpy as np
import pytest

from benchmark.judge.scoring.metrics import Shape, TaskKind
from benchmark.judge.task import kind_of, tasks_of
from tests.benchmark.measure.raw import reference_of, tasks
from train.common.errors import ArtifactError, ToolkitError
from train.common.samples import Samples

SOFTMAX = np.full((6, 4), 0.25, np.float32)
LOGITS = np.arange(24, dtype=np.float32).reshape(6, 4)
YES_NO = np.array([0, 1, 1], np.int64)
LABELS = np.arange(6) % 4
ONE = np.linspace(0, 1, 6, dtype=np.float32)[:, np.newaxis]


@pytest.mark.parametrize(
    ("shape", "targets", "kind"),
    [
        ((None, 10), np.array([0, 3, 9], np.uint8), "classes"),
        ((None, 2), YES_NO, "classes"),
        ((None, 1), YES_NO, "binary"),
        ((None,), YES_NO[:, None].astype(bool), "binary"),
        ((None, 1), YES_NO.astype(np.float32), "binary"),
        ((None, 1), np.array([0.5, 1, 0], np.float32), "values"),
        ((None, 2), np.array([[0.5, 1.5]] * 3), "values"),
        ((None, 2), np.array([[1.0, 1.0], [0.0, 1.0]]), "values"),  # several labels each
        ((None, 8, 8, 1), np.ones((3, 8, 8, 1), np.float32), "values"),
        ((None, 10), None, "outputs"),
    ],
)
def test_the_targets_say_what_an_output_is_judged_as(
    shape: Shape, targets: np.ndarray | None, kind: TaskKind
) -> None:
    assert kind_of(shape, targets) == kind


def test_the_metric_asked_for_is_the_main_outputs_and_others_where_it_fits() -> None:
    found = tasks(
        {"c": SOFTMAX, "v": LOGITS, "w": LOGITS},
        {"c": LABELS, "v": LOGITS, "w": LOGITS},
    )
    assert [(task.name, task.metric) for task in found] == [
        ("c", "accuracy"),
        ("v", "r2"),
        ("w", "r2"),
    ]
    found = tasks({"v": LOGITS, "c": SOFTMAX}, {"v": LOGITS, "c": LABELS}, metric="mae")
    assert [task.metric for task in found] == ["mae", "accuracy"]
    with pytest.raises(ToolkitError, match=r"got --metric auc for output 'v' .*, expected r2 or"):
        tasks({"v": LOGITS, "c": SOFTMAX}, {"v": LOGITS, "c": LABELS}, metric="auc")


def test_only_what_looks_like_classes_tells_classes_without_targets() -> None:
    (softmax,) = tasks({"c": SOFTMAX}, {})
    (logits,) = tasks({"c": LOGITS}, {})
    (negative,) = tasks({"c": np.array([[1.5, -0.5]] * 6, np.float32)}, {})
    (named,) = tasks({"c": LOGITS}, {}, labels=("a", "b", "c", "d"))
    (other_names,) = tasks({"c": LOGITS}, {}, labels=("a", "b", "c"))
    found = [task.has_classes for task in (softmax, logits, negative, named, other_names)]
    assert found == [True, False, False, True, False]
    assert named.class_names == ("a", "b", "c", "d")
    assert other_names.class_names == ()
    assert logits.predicted(LOGITS) is None
    assert logits.distance(LOGITS).agreement is None


def test_a_binary_output_tells_two_classes_by_the_threshold() -> None:
    (task,) = tasks({"p": ONE}, {"p": np.array([0, 0, 0, 1, 1, 1])}, threshold=0.3)
    predicted = task.predicted(ONE)
    assert predicted is not None
    assert predicted.tolist() == [0, 0, 1, 1, 1, 1]
    assert task.distance(1 - ONE).agreement == pytest.approx(2 / 6)
    assert task.distance(1 - ONE).accuracy == pytest.approx(1 / 6)


def test_integers_are_the_classes_themselves() -> None:
    index = LABELS.astype(np.int32)
    (known,) = tasks({"c": index}, {"c": (LABELS + (LABELS == 3)) % 5})
    (unknown,) = tasks({"c": index[:, np.newaxis]}, {}, labels=("a", "b", "c", "d"))
    (several,) = tasks({"c": np.stack([index, index + 1], axis=1)}, {})
    assert [task.kind for task in (known, unknown, several)] == ["classes", "outputs", "outputs"]
    assert [task.has_classes for task in (known, unknown, several)] == [True, True, False]
    assert known.source_accuracy() == known.score(index).value == pytest.approx(5 / 6)
    found = known.distance(np.where(index == 3, 4, index))
    assert found.agreement == pytest.approx(5 / 6)
    assert found.accuracy == 1
    predicted = unknown.predicted(index[:, np.newaxis])
    assert predicted is not None
    assert predicted.tolist() == LABELS.tolist()
    assert unknown.class_names == ("a", "b", "c", "d")
    half = np.stack([index, index], axis=1)
    assert several.distance(half).agreement == 0.5
    assert several.measure("examples").agrees
    assert several.predicted(half) is None


def test_values_tell_no_classes_whatever_their_shape() -> None:
    (task,) = tasks({"v": LOGITS}, {"v": LOGITS}, labels=("a", "b", "c", "d"))
    assert (task.kind, task.has_classes, task.labels) == ("values", False, None)
    assert task.class_names == ()


def test_targets_of_no_output_are_refused() -> None:
    test = Samples(inputs={"x": np.zeros((6, 2))}, targets={"other": LABELS})
    with pytest.raises(ToolkitError, match="got targets for output 'other', expected c; rename"):
        tasks_of(reference_of({"c": SOFTMAX}), test)


def test_a_broken_keras_model_judges_nothing() -> None:
    with pytest.raises(ArtifactError, match="Keras model's outputs hold NaN"):
        tasks({"v": np.full_like(LOGITS, np.inf)}, {"v": LOGITS})
