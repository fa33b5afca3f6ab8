"""Exports of every kind of model, judged from raw results that no runtime computed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.judge.evidence import Verdict
from tests.benchmark.judge.data import (
    COUNT,
    LABELS,
    LOGITS,
    PROBABILITIES,
    SCORES,
    TRUTH,
    VALUES,
    YES,
    noisy,
)
from tests.benchmark.measure.raw import LIMITS, concluded, tasks


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
