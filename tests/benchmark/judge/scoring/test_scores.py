import json
from typing import Any

import numpy as np
import pytest

from benchmark.judge.drop import Side
from benchmark.judge.scoring.auc import compare_areas
from benchmark.judge.scoring.classification import compare
from benchmark.judge.scoring.metrics import Metric, TaskKind
from benchmark.judge.scoring.scores import Scores
from benchmark.judge.task import Task

RANDOM = np.random.default_rng(7)
LABELS = RANDOM.integers(0, 8, 300)
SOURCE = (np.eye(8)[LABELS] + RANDOM.normal(size=(300, 8))).astype(np.float32)
EXPORT = SOURCE + RANDOM.normal(size=SOURCE.shape).astype(np.float32) / 2
TRUTH = RANDOM.normal(size=(300, 2)).astype(np.float32)
SOURCE_VALUES = TRUTH + RANDOM.normal(size=TRUTH.shape).astype(np.float32) / 4
VALUES = SOURCE_VALUES + RANDOM.normal(size=TRUTH.shape).astype(np.float32) / 4


def score_output(
    outputs: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray | None,
    *,
    kind: TaskKind,
    metric: Metric,
    threshold: float = 0.5,
) -> Scores:
    task = Task(
        name="output",
        is_first=True,
        reference=reference,
        targets=targets,
        kind=kind,
        metric=metric,
        threshold=threshold,
        has_classes=kind in ("classes", "binary"),
        class_names=(),
    )
    return task.score(outputs)


def judged(
    outputs: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray | None,
    kind: TaskKind,
    metric: Metric,
) -> dict[str, Any]:
    found = score_output(outputs, reference, targets, kind=kind, metric=metric)
    content: dict[str, Any] = json.loads(json.dumps(found.as_json(), allow_nan=False))
    return content


@pytest.mark.parametrize(("metric", "top_k", "key"), [("accuracy", 1, ""), ("top-5", 5, "top5_")])
def test_classes(metric: Metric, top_k: int, key: str) -> None:
    content = judged(EXPORT, SOURCE, LABELS, "classes", metric)
    expected = compare(EXPORT, SOURCE, LABELS, top_k=top_k)
    assert content["value"] == content[f"{key}accuracy"] == expected.overall.accuracy
    reference = compare(SOURCE, SOURCE, LABELS, top_k=top_k).overall.accuracy
    assert content["source_value"] == content[f"source_{key}accuracy"] == pytest.approx(reference)
    assert content["drop"] == pytest.approx(reference - expected.overall.accuracy)
    low, high = content["drop_ci95"]
    assert low < content["drop"] < high
    assert content["accuracy"] < content["top5_accuracy"]
    judgement = score_output(EXPORT, SOURCE, LABELS, kind="classes", metric=metric)
    assert judgement.accuracy == expected


def test_binary_by_auc_with_either_kind_of_output() -> None:
    """One probability per row, or one for each of the two classes, rank the examples alike."""
    labels = (RANDOM.random((300, 1)) < 0.4).astype(np.float32)
    logits = labels * 2 - 1 + RANDOM.normal(size=(300, 1))
    reference, outputs = (
        (1 / (1 + np.exp(-values))).astype(np.float32)
        for values in (logits, logits + RANDOM.normal(size=(300, 1)))
    )
    content = judged(outputs, reference, labels, "binary", "auc")
    expected = compare_areas(outputs[:, 0], reference[:, 0], labels[:, 0])
    assert expected is not None
    assert content["value"] == content["auc"] == expected.value
    assert content["source_value"] == content["source_auc"] == expected.source_value
    assert content["drop_ci95"] == list(expected.drop.interval or ())
    assert content["accuracy"] == np.mean((outputs > 0.5) == labels)
    two, two_reference = (np.hstack([1 - values, values]) for values in (outputs, reference))
    of_pairs = judged(two, two_reference, labels.ravel().astype(int), "classes", "auc")
    assert of_pairs["value"] == pytest.approx(content["value"], abs=1e-4)
    assert of_pairs["accuracy"] == content["accuracy"]


def test_the_threshold_moves_the_accuracy_and_not_the_auc() -> None:
    labels, outputs = np.array([0, 0, 1, 1]), np.array([0.1, 0.25, 0.3, 0.4], np.float32)
    at = {
        threshold: score_output(
            outputs, outputs, labels, kind="binary", metric="accuracy", threshold=threshold
        )
        for threshold in (0.5, 0.27)
    }
    assert {key: found.value for key, found in at.items()} == {0.5: 0.5, 0.27: 1}
    assert {found.figures["auc"] for found in at.values()} == {1.0}


def test_auc_of_one_class_is_undefined() -> None:
    outputs = np.array([0.1, 0.9], np.float32)
    content = judged(outputs, outputs, np.array([1, 1]), "binary", "auc")
    assert content["value"] is content["drop"] is content["drop_ci95"] is None
    assert content["undefined"].startswith("AUC is undefined: all targets are 1;")
    assert judged(outputs, outputs, np.array([1, 1]), "binary", "accuracy")["undefined"] is None


@pytest.mark.parametrize("metric", ["r2", "mae", "rmse"])
def test_values(metric: Metric) -> None:
    content = judged(VALUES, SOURCE_VALUES, TRUTH, "values", metric)
    errors, source_errors = VALUES - TRUTH, SOURCE_VALUES - TRUTH
    assert content["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert content["source_rmse"] == pytest.approx(np.sqrt((source_errors**2).mean()), rel=1e-5)
    variance = TRUTH.var(axis=0).mean()
    assert content["r2"] == pytest.approx(1 - (errors**2).mean() / variance, rel=1e-5)
    value, source_value = content["value"], content["source_value"]
    assert (value, source_value) == (content[metric], content[f"source_{metric}"])
    lost = source_value - value if metric == "r2" else value / source_value - 1
    assert content["drop"] == pytest.approx(lost)
    assert 0 < content["drop_ci95"][0] < lost < content["drop_ci95"][1]


def test_without_targets_the_keras_model_explains_all() -> None:
    content = judged(VALUES, SOURCE_VALUES, None, "outputs", "r2")
    lost = ((VALUES - SOURCE_VALUES) ** 2).mean() / SOURCE_VALUES.var(axis=0).mean()
    assert content["source_value"] == 1
    assert content["drop"] == pytest.approx(lost, rel=1e-5)
    assert content["value"] == pytest.approx(1 - lost, rel=1e-5)
    assert content["mae"] == pytest.approx(np.abs(VALUES - SOURCE_VALUES).mean(), rel=1e-5)
    assert content["source_mae"] == 0


@pytest.mark.parametrize(
    ("targets", "kind", "metric", "message"),
    [
        (TRUTH[:1], "values", "r2", "R² is undefined: over the examples (1) the targets do not"),
        (
            np.ones((300, 2)),
            "values",
            "r2",
            "R² is undefined: over the examples (300) the targets do",
        ),
        (
            SOURCE_VALUES,
            "values",
            "mae",
            "the increase of MAE is undefined: the Keras model's",
        ),
        (SOURCE_VALUES, "values", "rmse", "the increase of RMSE is undefined:"),
    ],
)
def test_what_is_undefined_says_why(
    targets: np.ndarray, kind: TaskKind, metric: Metric, message: str
) -> None:
    count = len(targets)
    content = judged(VALUES[:count], SOURCE_VALUES[:count], targets, kind, metric)
    assert content["drop"] is None
    assert content["undefined"].startswith(message)


def test_constant_outputs_without_targets() -> None:
    content = judged(VALUES, np.ones_like(VALUES), None, "outputs", "r2")
    assert content["undefined"].startswith(
        "R² is undefined: over the examples (300) the Keras model's outputs"
    )


def test_one_example_leaves_it_open() -> None:
    found = score_output(VALUES[:1], SOURCE_VALUES[:1], TRUTH[:1], kind="values", metric="mae")
    assert found.drop is not None
    assert found.drop.side(1e9) == Side(within=False, beyond=False)


def test_a_broken_export_still_has_figures() -> None:
    """It fails for its NaN; the report must not fail with it."""
    broken = np.full_like(VALUES, np.nan)
    content = judged(broken, SOURCE_VALUES, TRUTH, "values", "r2")
    assert content["mae"] == pytest.approx(np.abs(TRUTH).mean(), rel=1e-5)
