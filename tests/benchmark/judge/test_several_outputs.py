"""Exports of several outputs, and outputs of other data, judged from raw results."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.benchmark.judge.data import LABELS, SCORES, TRUTH, VALUES, noisy
from tests.benchmark.measure.raw import LIMITS, Outputs, concluded, tasks

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
