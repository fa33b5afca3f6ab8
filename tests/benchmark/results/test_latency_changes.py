from pathlib import Path

import numpy as np
import pytest

from benchmark.judge.statistics import holm
from benchmark.results.latency_changes import (
    LatencyChange,
    compare_latency,
    latency_changes,
    launch_medians_us,
)
from tests.benchmark.recorded import Content, changed, content, row, run

COMPARISONS, ROWS, LAUNCHES, ROUNDS = 60, 14, 4, 5


def slowed(found: Content, name: str, factor: float) -> Content:
    def change(result: Content) -> None:
        (timed,) = [r["latency_us"] for r in result["results"] if r["name"] == name]
        timed["p50"] *= factor
        timed["rounds_p50"] = [factor * value for value in timed["rounds_p50"]]

    return changed(change, found)


def compared(old: Content, new: Content, folder: Path) -> dict[str, LatencyChange]:
    return latency_changes(run(old, folder, "old.json"), run(new, folder, "new.json"))


@pytest.mark.parametrize(
    ("factor", "kind"),
    [(1.2, "slower"), (1 / 1.2, "faster"), (1.04, "noise"), (1.0, "noise"), (0.96, "noise")],
)
def test_a_change_is_significant_and_larger_than_5_percent(
    factor: float, kind: str, tmp_path: Path
) -> None:
    found = compared(content(), slowed(content(), "second", factor), tmp_path)
    ratio = found["second"].ratio
    assert ratio is not None
    assert ratio.value == pytest.approx(factor)
    assert ratio.low < factor < ratio.high
    assert found["second"].kind == kind
    assert {found["first"].kind, found["third"].kind} == {"noise"}
    if factor == 1.04:
        assert ratio.p < 0.05  # it is significant; it is the size that does not convince


def test_a_large_but_uncertain_change_is_noise() -> None:
    old, new = np.array([10.0, 13.0, 10.0, 14.0]), np.array([12.0, 15.0, 11.0, 16.0])
    ratio = compare_latency(old, new)
    assert ratio is not None
    assert ratio.value > 1.1
    assert LatencyChange(old_us=11.0, new_us=13.0, ratio=ratio).kind == "noise"


def test_p_values_are_corrected_for_all_rows(tmp_path: Path) -> None:
    alone = compared(content(row("a")), slowed(content(row("a")), "a", 1.02), tmp_path)["a"]
    rows = [row("a"), *(row(f"other {number}") for number in range(4))]
    among = compared(content(*rows), slowed(content(*rows), "a", 1.02), tmp_path)["a"]
    assert alone.ratio is not None
    assert among.ratio is not None
    assert among.ratio.p == pytest.approx(5 * alone.ratio.p)


def test_too_few_launches_cannot_carry_a_test(tmp_path: Path) -> None:
    def quick(result: Content) -> None:
        result["settings"] |= {"rounds": 5, "launches": 1}
        for found in result["results"]:
            found["latency_us"]["rounds_p50"] = found["latency_us"]["rounds_p50"][:5]
            found["rounds_quiet"] = found["rounds_quiet"][:5]

    found = compared(content(), changed(quick), tmp_path)["first"]
    assert (found.old_us, found.ratio, found.kind) == (10.0, None, None)


def test_launches_are_the_medians_of_their_quiet_rounds(tmp_path: Path) -> None:
    def disturb(result: Content) -> None:
        found = result["results"][0]
        found["latency_us"]["rounds_p50"] = [
            *[10.0, 11.0, 12.0, 99.0, 99.0],
            *[20.0] * 5,
            *[99.0] * 5,
            *[40.0] * 5,
            *[50.0, 52.0],  # of a further launch, because the machine was disturbed
        ]
        found["rounds_quiet"] = [
            *[True, True, True, False, False],
            *[True] * 5,
            *[False] * 5,
            *[True] * 5,
            *[True, True],
        ]

    recorded = run(changed(disturb), tmp_path)
    assert launch_medians_us(recorded, recorded.rows["first"]).tolist() == [11, 20, 40, 51]


def test_where_a_row_has_too_few_quiet_rounds_all_rounds_of_all_rows_count(tmp_path: Path) -> None:
    def disturb(result: Content) -> None:
        first, second, _ = result["results"]
        first["rounds_quiet"] = [True] * 4 + [False] * 16
        second["latency_us"]["rounds_p50"] = [10.0] * 5 + [20.0] * 5 + [30.0] * 5 + [40.0] * 5
        second["rounds_quiet"] = [False] * 5 + [True] * 15

    recorded = run(changed(disturb), tmp_path)
    assert launch_medians_us(recorded, recorded.rows["second"]).tolist() == [10, 20, 30, 40]


def simulated(random: np.random.RandomState, factor: float = 1.0) -> np.ndarray:
    """(rows, launches, rounds) of a run: launches vary by 2 %, the rounds of one by 1 %."""
    launches = random.normal(0, 0.02, (ROWS, LAUNCHES, 1))
    medians: np.ndarray = np.exp(launches + random.normal(0, 0.01, (ROWS, LAUNCHES, ROUNDS)))
    medians[0] *= factor
    return medians


def smallest_p(old: np.ndarray, new: np.ndarray) -> float:
    contrasts = [compare_latency(*pair) for pair in zip(old, new, strict=True)]
    return min(holm([found.p for found in contrasts if found is not None]))


def test_noise_alone_is_called_a_change_in_at_most_5_percent_of_comparisons() -> None:
    by_launches = by_rounds = 0
    for seed in range(COMPARISONS):
        random = np.random.RandomState(seed)
        old, new = simulated(random), simulated(random)
        by_launches += smallest_p(np.median(old, axis=2), np.median(new, axis=2)) < 0.05
        by_rounds += smallest_p(old.reshape(ROWS, -1), new.reshape(ROWS, -1)) < 0.05
    assert by_launches / COMPARISONS <= 0.05
    assert by_rounds / COMPARISONS > 0.5  # what rounds that are taken for independent would do


def test_a_row_20_percent_slower_is_found() -> None:
    hits = 0
    for seed in range(100):
        random = np.random.RandomState(seed)
        old, new = (np.median(simulated(random, factor), axis=2) for factor in (1.0, 1.2))
        contrasts = [compare_latency(*pair) for pair in zip(old, new, strict=True)]
        p_values = holm([found.p for found in contrasts if found is not None])
        hits += p_values[0] < 0.05
    assert hits >= 95
