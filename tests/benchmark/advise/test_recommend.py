"""Which export is recommended, and what is said where none meets the limits."""

from dataclasses import replace

import pytest

from benchmark.advise.candidates import Objective
from benchmark.advise.closest import unmet
from benchmark.advise.recommend import recommend
from benchmark.judge.limits import Limits
from tests.benchmark.judge.rows import BY_ACCURACY, row

LIMITS = Limits(baseline=0.886, tolerance=0.01)
FLOAT = row("tflite-float32", 4.0, 1_000_000, wrong=range(200))
INT8 = row("tflite-int8", 2.0, 254_000, wrong=range(210))
INT4 = row("tflite-int4", 2.5, 130_000, wrong=range(260))
SLOW = row("tflite-int16x8", 20.0, 256_000, wrong=range(210))
ROWS = (FLOAT, INT8, INT4, SLOW)


@pytest.mark.parametrize(
    ("objective", "name"),
    [("latency", "tflite-int8"), ("size", "tflite-int4"), ("accuracy", "tflite-float32")],
)
def test_the_best_by_each_objective(objective: Objective, name: str) -> None:
    found = recommend(ROWS, BY_ACCURACY, objective, {"max_size_kb": 200.0})
    assert found is not None
    assert (found.name, found.format, found.objective) == (name, name, objective)
    assert found.limits == {"max_size_kb": 200.0}
    assert found.pareto == ("tflite-float32", "tflite-int8", "tflite-int4")


def test_the_reason_has_figures_and_the_runner_up() -> None:
    found = recommend((INT8, INT4), BY_ACCURACY, "latency", {})
    assert found is not None
    assert found.reason == ("the fastest of 2 within the limits: 2.0 µs, 254.0 kB, 89.50%")
    assert found.runner_up == (
        "The runner-up, tflite-int4, would be 124.0 kB smaller but 0.50 µs slower and "
        "2.50 points less accurate"
    )
    alone = recommend((INT8,), BY_ACCURACY, "latency", {})
    assert alone is not None
    assert alone.reason == "the only one within the limits: 2.0 µs, 254.0 kB, 89.50%"
    assert alone.runner_up is None


def test_latencies_that_cannot_be_told_apart_leave_it_to_the_size() -> None:
    small = row("tflite-int4", 2.05, 130_000, wrong=range(260))
    found = recommend((INT8, small), BY_ACCURACY, "latency", {})
    assert found is not None
    assert found.name == "tflite-int4"
    assert found.reason.startswith(
        "as fast as tflite-int8 (2.0 µs and 2.0 µs, too close to tell) and "
        "smaller, 130.0 kB instead of 254.0 kB"
    )


def test_a_difference_that_rounding_hides_is_a_little_one() -> None:
    larger, smaller = row("tflite-int8", 2.0, 5_540), row("tflite-int4", 2.05, 5_460)
    found = recommend((larger, smaller), BY_ACCURACY, "latency", {})
    assert found is not None
    assert "too close to tell) and a little smaller; 2 are within the limits" in found.reason


def test_sizes_that_are_about_the_same_leave_it_to_the_latency() -> None:
    right = row("tflite-int4", 4.0, 100_000)
    for wrong in (range(0), range(260)):
        fast = row("tflite-int8", 2.0, 100_500, wrong=wrong)
        found = recommend((fast, right), BY_ACCURACY, "size", {})
        assert found is not None
        assert found.name == "tflite-int8"


@pytest.mark.parametrize(("p50_us", "name"), [(2.1, "tflite-int4"), (2.2, "tflite-int8")])
def test_latencies_are_told_apart_by_their_intervals(p50_us: float, name: str) -> None:
    """Those of 2.0 and 2.1 µs overlap."""
    found = recommend((INT8, row("tflite-int4", p50_us, 130_000)), BY_ACCURACY, "latency", {})
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(("wrong", "name"), [(257, "tflite-int4"), (255, "tflite-int8")])
def test_accuracies_that_may_be_chance_leave_it_to_the_size(wrong: int, name: str) -> None:
    """Right on 3 images more and wrong on none may be chance; on 5 it isn't, by the interval."""
    better = row("tflite-int8", 2.0, 254_000, wrong=range(wrong))
    found = recommend((better, INT4), BY_ACCURACY, "accuracy", {})
    assert found is not None
    assert found.name == name
    assert "(that accuracy may be chance)" in (found.runner_up or "") or wrong == 255


def test_only_passing_exports_are_candidates() -> None:
    keras = replace(INT8, variant=replace(INT8.variant, format="keras", manifest=None))
    failed, unsure = replace(INT8, verdict="fail"), replace(INT8, verdict="inconclusive")
    broken = replace(INT8, verdict="error", latency=None, predicted=None)
    assert recommend((keras, failed, unsure, broken), BY_ACCURACY, "latency", {}) is None
    found = recommend((keras, failed, INT4), BY_ACCURACY, "latency", {})
    assert found is not None
    assert found.name == "tflite-int4"


def test_without_limits_nothing_can_be_unmet() -> None:
    assert LIMITS.given() == {}
    assert unmet(ROWS, LIMITS) is None


def test_a_limit_that_one_export_meets_is_met() -> None:
    assert unmet(ROWS, replace(LIMITS, max_size_kb=130.0)) is None
    assert unmet(ROWS, replace(LIMITS, max_drop=0.001)) is not None
    assert unmet((row("tflite-int8", 2.0, 1),), replace(LIMITS, max_drop=0.01)) is None


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (
            {"max_size_kb": 20.0},
            "--max-size-kb 20: the closest is tflite-int4 with 130.0 kB, 110.0",
        ),
        (
            {"max_latency_us": 1.0},
            "--max-latency-us 1: the closest is tflite-int8 with a median of",
        ),
        (
            {"max_drop": 0.01},
            "--max-drop 0.01: the closest is tflite-float32 with an accuracy drop",
        ),
        ({"min_agreement": 0.99}, "--min-agreement 0.99: the closest is tflite-float32 with an"),
        (
            {"max_drop_per_class": 0.01},
            "--max-drop-per-class 0.01: the closest is tflite-float32 with a drop of up to",
        ),
    ],
)
def test_what_came_closest_and_by_how_much(limit: dict[str, float], words: str) -> None:
    message = unmet(ROWS, replace(LIMITS, **limit))
    assert message is not None
    assert message.startswith(f"no export meets {words}"), message
    assert "too much" in message or "too little" in message


def test_a_drop_is_in_points_and_by_its_interval() -> None:
    message = unmet((FLOAT,), replace(LIMITS, max_drop=0.1))
    assert message is not None
    # 200 of 2,000 lost: Tango's interval reaches to 11.39 points
    assert "an accuracy drop of up to 11.39 points" in message
    assert "(95 % interval), 1.39 points too much" in message


def test_the_drop_of_a_class_is_that_of_its_interval() -> None:
    message = unmet((FLOAT,), replace(LIMITS, max_drop_per_class=0.1))
    assert message is not None
    # 20 of 200 lost in every class: Wilson's interval of them reaches to 14.94 %
    assert "a drop of up to 14.94 points in a class (95 % interval), 4.94 points" in message


def test_of_several_limits_the_fewest_broken_is_the_closest() -> None:
    message = unmet(ROWS, replace(LIMITS, max_size_kb=140.0, max_drop=0.12))
    assert message is not None
    assert "meets --max-size-kb 140 and --max-drop 0.12: the closest is tflite-int4 with" in message
    assert "too much for --max-drop 0.12" in message
    assert "for --max-size-kb" not in message
    # 874 % too large is one limit broken, 1 % too large and 2 % too inaccurate are two
    large, wrong = (
        row("tflite-int8", 2.0, 974_000),
        row("tflite-int4", 2.0, 101_000, wrong=range(216)),
    )
    message = unmet((wrong, large), replace(LIMITS, max_size_kb=100.0, max_drop=0.12))
    assert message is not None
    assert "the closest is tflite-int8 with 974.0 kB, 874.0 kB too much" in message
    both = unmet(ROWS, replace(LIMITS, max_size_kb=20.0, max_drop=0.01))
    assert both is not None
    assert "too much for --max-size-kb 20; " in both
    assert "too much for --max-drop 0.01;" in both


def test_rows_that_were_not_measured_meet_nothing_and_are_not_the_closest() -> None:
    broken = replace(INT4, verdict="error", latency=None, accuracy=None)
    message = unmet((broken, INT8), replace(LIMITS, max_size_kb=20.0))
    assert message is not None
    assert "the closest is tflite-int8" in message
    assert unmet((broken,), replace(LIMITS, max_size_kb=20.0)) is None
