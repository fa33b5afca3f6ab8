import pytest

from benchmark.judge.scoring.metrics import METRICS, Metric, Shape, TaskKind, check_metric
from benchmark.options import METRICS as OFFERED
from train.common.errors import ToolkitError


def test_the_command_offers_every_metric() -> None:
    assert OFFERED == METRICS


@pytest.mark.parametrize(
    ("kind", "shape", "metric"),
    [
        ("classes", (None, 10), "accuracy"),
        ("binary", (None, 1), "accuracy"),
        ("values", (None, 3), "r2"),
        ("outputs", (None, 10), "r2"),
    ],
)
def test_every_kind_of_output_has_a_default_metric(
    kind: TaskKind, shape: Shape, metric: Metric
) -> None:
    assert check_metric(None, kind, shape, name="output") == metric


@pytest.mark.parametrize(
    ("metric", "kind", "shape"),
    [
        ("top-5", "classes", (None, 6)),
        ("auc", "classes", (None, 2)),
        ("auc", "binary", (None,)),
        ("rmse", "values", (None, 3)),
        ("r2", "outputs", (None, 3)),
    ],
)
def test_metrics_that_fit(metric: str, kind: TaskKind, shape: Shape) -> None:
    assert check_metric(metric, kind, shape, name="output") == metric


@pytest.mark.parametrize(
    ("metric", "kind", "shape", "message"),
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
def test_metrics_that_do_not_fit(metric: str, kind: TaskKind, shape: Shape, message: str) -> None:
    with pytest.raises(ToolkitError) as found:
        check_metric(metric, kind, shape, name="probabilities")
    assert str(found.value).endswith(message)
