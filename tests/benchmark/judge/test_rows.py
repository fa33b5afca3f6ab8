"""Exports of every kind of model, judged from raw results that no runtime computed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.judge.evidence import Verdict
from tests.benchmark.measure.raw import LIMITS, Outputs, concluded, tasks

RANDOM = np.random.default_rng(3)
COUNT = 4_000
YES = (RANDOM.random(COUNT) < 0.4).astype(np.int64)
LOGITS = (YES * 2 - 1 + RANDOM.normal(size=COUNT))[:, np.newaxis]
PROBABILITIES = (1 / (1 + np.exp(-LOGITS))).astype(np.float32)
TRUTH = RANDOM.normal(size=(COUNT, 2)).astype(np.float32)
VALUES = TRUTH + RANDOM.normal(size=TRUTH.shape).astype(np.float32) / 4
LABELS = RANDOM.integers(0, 8, COUNT)
SCORES = (3 * np.eye(8)[LABELS] + RANDOM.normal(size=(COUNT, 8))).astype(np.float32)


def noisy(values: np.ndarray, amount: float) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=values.shape)
    return (values + amount * noise).astype(np.float32)


@pytest.mark.parametrize(
    ("amount", "verdict", "words"),
    [(0.01, "pass", ""), (3.0, "fail", "AUC drops by "), (0.12, "inconclusive", "AUC drops by ")],
)
def test_a_binary_model_by_its_auc(
    tmp_path: Path, amount: float, verdict: Verdict, words: str
) -> None:
    judged = tasks({"p": PROBABILITIES}, {"p": YES}, metric="auc")
    outputs = (1 / (1 + np.exp(-noisy(LOGITS, amount)))).astype(np.float32)
    limits = replace(LIMITS, tolerance=0.002)
    row = concluded(tmp_path, judged, {"p": outputs}, limits=limits)
    assert row.verdict == verdict, row.reasons
    assert any(reason.startswith(words) for reason in row.reasons) == bool(words)
    assert row.scores is not None
    assert row.scores.value == row.scores.figures["auc"]
    assert row.predicted is not None
    assert row.predicted.tolist() == (outputs[:, 0] > 0.5).astype(int).tolist()
    assert row.accuracy is not None
    assert row.distance is not None
    assert row.accuracy.agreement == row.distance.agreement
    assert row.accuracy.agreement < 1


def test_an_undefined_auc_leaves_it_open_and_says_why(tmp_path: Path) -> None:
    judged = tasks({"p": PROBABILITIES}, {"p": np.ones(COUNT, np.int64)}, metric="auc")
    row = concluded(tmp_path, judged, {"p": PROBABILITIES})
    assert row.verdict == "inconclusive"
    assert row.reasons[0].startswith("AUC is undefined: all targets are 1; give examples of both")


def test_a_file_that_is_too_large_fails_whatever_its_outputs_are(tmp_path: Path) -> None:
    """What is undefined stays said, and what is odd about the inputs is looked for."""
    limits = replace(LIMITS, max_size_kb=0.0005)
    undefined = tasks({"p": PROBABILITIES}, {"p": np.ones(COUNT, np.int64)}, metric="auc")
    row = concluded(tmp_path, undefined, {"p": PROBABILITIES}, limits=limits)
    assert row.verdict == "fail"
    assert row.reasons[0].startswith("AUC is undefined")
    assert row.reasons[1:] == ("file of 0.0 kB is above 0.0005 kB",)
    judged, outputs = tasks({"y": VALUES}, {"y": TRUTH}), {"y": VALUES}
    row = concluded(tmp_path, judged, outputs, limits=limits, clipped_share=0.02)
    assert row.reasons[0].startswith("2.0% of the input values lie outside the range")
    assert concluded(tmp_path, judged, outputs, clipped_share=0.02).reasons == ()


@pytest.mark.parametrize(
    ("amount", "verdict", "words"),
    [
        (0.02, "pass", ""),
        (0.5, "fail", "R² drops by "),
        (0.095, "inconclusive", "R² drops by "),
    ],
)
def test_a_regression_by_its_r2(
    tmp_path: Path, amount: float, verdict: Verdict, words: str
) -> None:
    judged = tasks({"y": VALUES}, {"y": TRUTH})
    row = concluded(tmp_path, judged, {"y": noisy(VALUES, amount)})
    assert row.verdict == verdict, row.reasons
    assert "".join(row.reasons).startswith(words)
    if verdict == "inconclusive":
        assert "examples would decide it" in row.reasons[0]
    assert row.accuracy is None
    assert row.predicted is None
    content = json.loads(json.dumps(row.as_json(LIMITS), default=lambda array: array.tolist()))
    assert content["accuracy"] is content["predicted"] is content["delta_vs_baseline"] is None
    assert content["scores"]["metric"] == "r2"
    assert content["scores"]["value"] < content["scores"]["source_value"]


def test_an_error_is_judged_by_the_share_that_it_grows_by(tmp_path: Path) -> None:
    judged = tasks({"y": VALUES}, {"y": TRUTH}, metric="mae")
    outputs = {"y": noisy(VALUES, 0.1)}
    row = concluded(tmp_path, judged, outputs)
    assert row.verdict == "fail"
    assert "MAE is " in row.reasons[0]
    assert "% larger (95 % interval " in row.reasons[0]
    assert row.reasons[0].endswith("more than 1.00 %")
    limited = replace(LIMITS, max_drop=0.5)
    assert concluded(tmp_path, judged, outputs, limits=limited).verdict == "pass"


def test_a_constant_answer_is_named(tmp_path: Path) -> None:
    judged = tasks({"y": VALUES}, {"y": TRUTH})
    row = concluded(tmp_path, judged, {"y": np.zeros_like(VALUES)})
    assert row.verdict == "fail"
    assert row.reasons[0] == "the output is constant: the same for every example"


def test_by_top_5_the_wrong_order_of_the_first_five_is_no_loss(tmp_path: Path) -> None:
    """The two largest outputs of every example change places: all are lost by accuracy."""
    scores, rows = SCORES.copy(), np.arange(COUNT)
    second, first = SCORES.argsort(axis=1)[:, -2:].T
    scores[rows, first] = scores[rows, second] + 0.5
    swapped = scores.copy()
    swapped[rows, first], swapped[rows, second] = scores[rows, second], scores[rows, first]
    by_accuracy, by_top_5 = (
        concluded(tmp_path, tasks({"c": scores}, {"c": LABELS}, metric=metric), {"c": swapped})
        for metric in (None, "top-5")
    )
    assert by_accuracy.verdict == "fail"
    assert by_top_5.verdict == "pass", by_top_5.reasons
    assert by_top_5.scores is not None
    assert by_top_5.scores.metric == "top-5"
    assert by_top_5.scores.value == by_top_5.scores.source_value
    assert by_top_5.accuracy is not None
    assert by_accuracy.accuracy is not None
    # the figures of the classes stay those of the largest output
    assert by_top_5.accuracy.overall == by_accuracy.accuracy.overall


@pytest.mark.parametrize(
    ("share", "least", "words"),
    [
        (0.01, None, ""),
        (0.05, 0.9, ""),
        (0.15, 0.9, "85.00% of the values are those of the Keras model, expected 90.00% or more"),
        (0.25, None, "75.00% of the values are those of the Keras model, expected 80.00% or more"),
    ],
)
def test_indices_are_judged_by_how_many_are_the_same(
    tmp_path: Path, share: float, least: float | None, words: str
) -> None:
    """By their squared differences, which say nothing, all would pass: they are one apart."""
    indices = np.stack([LABELS + 100, LABELS + 200], axis=1).astype(np.int32)
    judged = tasks({"c": indices}, {})
    outputs = indices + (np.arange(2 * COUNT).reshape(COUNT, 2) % 100 < 100 * share)
    limits = replace(LIMITS, min_agreement=least).checked(judged[0], None, emulated=False)
    row = concluded(tmp_path, judged, {"c": outputs.astype(np.float32)}, limits=limits)
    assert row.verdict == ("fail" if words else "pass"), row.reasons
    assert words in " ".join(row.reasons)
    same = concluded(
        *(tmp_path, judged, {"c": outputs.astype(np.float32)}),
        checks={"agreement": 1 - share, "snr_db": 99.0},
        same_distribution=True,
    )
    assert same.verdict == ("pass" if share < 0.18 else "fail"), (
        same.reasons
    )  # by what int8 demands


def test_a_constant_index_is_refused(tmp_path: Path) -> None:
    judged = tasks({"c": LABELS.astype(np.int32)}, {"c": LABELS})
    row = concluded(tmp_path, judged, {"c": np.full(COUNT, 3, np.float32)})
    assert row.verdict == "fail"
    assert row.reasons[0] == "the output is constant: the same for every example"
    assert any("accuracy drops by" in reason for reason in row.reasons)


def test_without_a_baseline_none_is_asked_for(tmp_path: Path) -> None:
    judged = tasks({"c": SCORES}, {"c": LABELS})
    assert concluded(tmp_path, judged, {"c": SCORES}).verdict == "pass"
    row = concluded(tmp_path, judged, {"c": SCORES}, limits=replace(LIMITS, baseline=1.0))
    assert row.verdict == "fail"
    assert row.reasons[0].startswith("accuracy ")


TWO: Outputs = {"classes": SCORES, "place": VALUES}
TARGETS: Outputs = {"classes": LABELS, "place": TRUTH}


def test_of_two_outputs_one_fails(tmp_path: Path) -> None:
    judged = tasks(TWO, TARGETS)
    row = concluded(tmp_path, judged, {"classes": SCORES, "place": noisy(VALUES, 0.5)})
    assert row.verdict == "fail"
    assert row.scores is not None
    assert row.scores.metric == "accuracy"
    assert list(row.others) == ["place"]
    assert row.others["place"].verdict == "fail"
    (reason,) = row.reasons
    assert reason.startswith("place: R² drops by ")
    content = row.as_json(LIMITS)
    assert content["verdict"] == content["outputs"]["place"]["verdict"] == "fail"
    assert content["outputs"]["place"]["reasons"] == [reason.removeprefix("place: ")]
    assert concluded(tmp_path, judged, TWO).verdict == "pass"


def test_the_first_output_fails_too(tmp_path: Path) -> None:
    row = concluded(tmp_path, tasks(TWO, TARGETS), {"classes": noisy(SCORES, 2), "place": VALUES})
    assert row.verdict == "fail"
    assert row.others["place"].verdict == "pass"
    assert all(reason.startswith("classes: ") for reason in row.reasons)


def test_the_output_with_targets_is_the_main_one(tmp_path: Path) -> None:
    judged = tasks(TWO, {"place": TRUTH})
    assert [(task.name, task.kind) for task in judged] == [
        *(("place", "values"), ("classes", "outputs")),
    ]
    row = concluded(tmp_path, judged, {"classes": np.zeros_like(SCORES), "place": VALUES})
    assert row.verdict == row.others["classes"].verdict == "fail"
    assert row.predicted is None
    (reason,) = (reason for reason in row.reasons if "signal-to-noise" in reason)
    assert reason.startswith("classes: signal-to-noise ratio against the Keras model's outputs is ")


def test_without_targets_every_output_is_judged_by_the_keras_models(tmp_path: Path) -> None:
    judged = tasks(TWO, {})
    near = {name: noisy(values, 0.01) for name, values in TWO.items()}
    row = concluded(tmp_path, judged, near)
    assert (row.verdict, row.reasons) == ("pass", ())
    assert row.scores is not None
    assert row.scores.kind == row.others["place"].scores.kind == "outputs"
    row = concluded(tmp_path, judged, {**near, "place": noisy(VALUES, 1)})
    assert row.verdict == "fail"
    assert row.others["place"].verdict == "fail"
    assert row.reasons[0].startswith("place: signal-to-noise ratio against the Keras model's")
    assert row.reasons[0].endswith("below 15 dB (judged by outputs: the data has no labels)")


def test_a_large_offset_does_not_hide_a_constant_answer(tmp_path: Path) -> None:
    """Values about 100 whose mean is answered: 40 dB of signal to noise and no information."""
    reference = VALUES + 100
    constant = np.broadcast_to(reference.mean(axis=0), reference.shape).astype(np.float32)
    judged = tasks({"y": reference}, {})
    row = concluded(tmp_path, judged, {"y": constant})
    assert row.verdict == "fail"
    assert row.distance is not None
    assert row.distance.snr_db > 35
    assert row.reasons[1].startswith("centred signal-to-noise ratio, of what varies from")
    assert concluded(tmp_path, judged, {"y": noisy(reference, 0.02)}).verdict == "pass"


def test_outputs_that_never_vary_are_judged_as_they_are(tmp_path: Path) -> None:
    judged = tasks({"y": np.full((50, 2), 3.0, np.float32)}, {})
    row = concluded(tmp_path, judged, {"y": np.full((50, 2), 3.01, np.float32)})
    assert (row.verdict, row.reasons) == ("pass", ())


def test_each_output_is_held_to_its_own_recorded_checks(tmp_path: Path) -> None:
    judged = tasks(TWO, TARGETS)
    far = {name: noisy(values, 0.4) for name, values in TWO.items()}
    limits = replace(LIMITS, max_drop=0.5)
    for name, checks in (
        ("place", {"snr_db": 15.0, "snr_db:place": 30.0}),
        ("classes", {"snr_db": 30.0, "snr_db:place": 15.0}),
    ):
        row = concluded(tmp_path, judged, far, limits=limits, checks=checks)
        (reason,) = row.reasons
        assert reason.startswith(f"{name}: outputs differ from the Keras model's by ")


def test_an_outlier_in_data_of_another_distribution_is_no_other_model(tmp_path: Path) -> None:
    judged = tasks({"y": VALUES}, {"y": TRUTH})
    near = {"y": noisy(VALUES, 0.05)}
    assert concluded(tmp_path, judged, near, checks={"snr_db": 60.0}).verdict == "pass"
    assert (
        concluded(tmp_path, judged, near, checks={"snr_db": 60.0}, same_distribution=True).verdict
        == "fail"
    )


def test_equal_outputs_when_verified_leave_room_for_rounding(tmp_path: Path) -> None:
    judged = tasks({"y": VALUES}, {"y": TRUTH})
    rounded = {"y": VALUES * np.float32(1 + 1e-6)}
    assert concluded(tmp_path, judged, rounded, checks={"snr_db": 999.0}).verdict == "pass"


def test_clipped_inputs_of_another_distribution_explain_a_failure_and_are_none(
    tmp_path: Path,
) -> None:
    """Test data may go beyond what a few calibration examples did."""
    judged = tasks({"y": VALUES}, {"y": TRUTH})
    near, far = ({"y": noisy(VALUES, amount)} for amount in (0.02, 1.0))
    assert concluded(tmp_path, judged, near, clipped_share=0.02).verdict == "pass"
    row = concluded(tmp_path, judged, far, clipped_share=0.02)
    assert row.reasons[0].startswith("2.0% of the input values lie outside the range")
    row = concluded(tmp_path, judged, near, clipped_share=0.02, same_distribution=True)
    assert row.verdict == "fail"


def test_nan_in_another_output_fails(tmp_path: Path) -> None:
    broken = VALUES.copy()
    broken[0, 0] = np.nan
    row = concluded(tmp_path, tasks(TWO, TARGETS), {"classes": SCORES, "place": broken})
    assert row.verdict == "fail"
    assert any(reason.startswith("place: outputs hold NaN or infinity") for reason in row.reasons)
