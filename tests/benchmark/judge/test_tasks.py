import numpy as np
import pytest

from benchmark.judge.tasks import Metric, Shape, Task, check_metric, task_of
from train.common.errors import DataError, ToolkitError

CLASSES = np.array([0, 3, 9], np.uint8)
YES_NO = np.array([0, 1, 1], np.int64)
IMAGES = np.random.default_rng(0).random((3, 8, 8, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "targets", "task"),
    [
        ((None, 10), CLASSES, "classes"),
        ((None, 10), CLASSES[:, None], "classes"),
        ((None, 2), YES_NO, "classes"),
        ((None, 1), YES_NO, "binary"),
        ((None,), YES_NO[:, None].astype(bool), "binary"),
        ((None, 1), YES_NO.astype(np.float32), "binary"),
        ((None, 1), np.array([0.5, 1, 0], np.float32), "values"),
        ((None, 1), CLASSES, "values"),  # a count
        ((None, 2), np.array([[0.5, 1.5]] * 3), "values"),
        ((None, 2), np.array([[1, 1], [0, 1]]), "values"),  # several labels each
        ((None, 8, 8, 1), IMAGES, "values"),
        ((None, 8, 8), IMAGES, "values"),
        ((None, 10), None, "outputs"),
    ],
)
def test_the_targets_say_what_an_output_is_judged_as(
    shape: Shape, targets: np.ndarray | None, task: Task
) -> None:
    assert task_of(shape, targets, name="output") == task


@pytest.mark.parametrize(
    ("shape", "targets", "message"),
    [
        (
            (None, 3),
            CLASSES,
            r"targets of output 'probabilities' \(\?, 3\): got uint8 \(\?,\) with class 9, "
            "expected 0…2",
        ),
        ((None, 10), np.array([-1, 0]), "with class -1, expected 0…9"),
        ((None, 10), CLASSES.astype(np.float32), "got float32 .* expected integers"),
        ((None, 10), np.eye(10), r"targets.argmax\(axis=1\)"),
        ((None, 10), np.zeros((3, 7)), r"got float64 \(\?, 7\), expected integers \(\?,\) for"),
        ((None, 8, 8, 21), np.zeros((3, 8, 8), np.int64), "a class for each position"),
        ((None, 8, 8, 21), np.zeros((3, 8), np.int64), r"expected numbers \(\?, 8, 8, 21\)"),
        ((None, 1), np.zeros((3, 2)), r"expected numbers \(\?, 1\)"),
        ((None, 1), np.zeros((0, 1)), "of no examples"),
        ((None, 1), np.array(["a"]), "expected numbers"),
        ((None, 1), np.array([0.5, np.nan]), "with NaN or infinity"),
    ],
)
def test_targets_that_fit_no_task(shape: Shape, targets: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        task_of(shape, targets, name="probabilities")


@pytest.mark.parametrize(
    ("task", "shape", "metric"),
    [
        ("classes", (None, 10), "accuracy"),
        ("binary", (None, 1), "accuracy"),
        ("values", (None, 3), "r2"),
        ("outputs", (None, 10), "r2"),
    ],
)
def test_every_task_has_a_metric_of_its_own(task: Task, shape: Shape, metric: Metric) -> None:
    assert check_metric(None, task, shape, name="output") == metric


@pytest.mark.parametrize(
    ("metric", "task", "shape"),
    [
        ("top-5", "classes", (None, 6)),
        ("auc", "classes", (None, 2)),
        ("auc", "binary", (None,)),
        ("rmse", "values", (None, 3)),
        ("r2", "outputs", (None, 3)),
    ],
)
def test_metrics_that_fit(metric: str, task: Task, shape: Shape) -> None:
    assert check_metric(metric, task, shape, name="output") == metric


@pytest.mark.parametrize(
    ("metric", "task", "shape", "message"),
    [
        (
            "auc",
            "classes",
            (None, 10),
            "got --metric auc for output 'probabilities' (?, 10), expected accuracy or top-5",
        ),
        ("top-5", "classes", (None, 5), "expected accuracy"),
        ("top-5", "binary", (None,), "(?,), expected accuracy or auc"),
        ("accuracy", "values", (None, 3), "expected r2 or mae or rmse"),
        ("mae", "outputs", (None, 3), "expected r2 without targets; give targets for the others"),
    ],
)
def test_metrics_that_do_not_fit(metric: str, task: Task, shape: Shape, message: str) -> None:
    with pytest.raises(ToolkitError) as found:
        check_metric(metric, task, shape, name="probabilities")
    assert str(found.value).endswith(message)
