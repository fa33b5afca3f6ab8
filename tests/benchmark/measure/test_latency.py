import numpy as np
import pytest

from benchmark.measure.latency import (
    Round,
    enough_quiet,
    quantile,
    quantile_bounds,
    summarize,
)
from benchmark.measure.worker.timing import WarmUp


def rounds(*durations_us: list[float], quiet: bool = True) -> list[Round]:
    warmed = WarmUp(calls=10, stable=True)
    return [
        Round(durations_ns=np.array([int(x * 1_000) for x in found]), warm_up=warmed, quiet=quiet)
        for found in durations_us
    ]


def test_summary_in_microseconds() -> None:
    values = np.random.RandomState(0).permutation(np.arange(1, 1_002)).astype(float).tolist()
    found = summarize(
        rounds(values[:500], values[500:]), timer_ns=60, reference=None, quiet_only=True
    )
    assert (found.samples, found.min, found.max, found.mean) == (1_001, 1.0, 1_001.0, 501.0)
    assert found.p50 == pytest.approx(501)
    assert found.p90 == pytest.approx(901, abs=1)
    assert found.p99 == pytest.approx(991, abs=1)
    assert found.p999 is None  # 2,995 are needed
    low, high = found.p50_ci95
    assert low is not None
    assert high is not None
    assert low < 501 < high
    assert found.timer == 0.06
    assert found.warm_up_calls == 20
    assert found.settled
    assert found.spread is None
    assert not found.unstable


def test_a_small_sample_carries_no_high_percentile() -> None:
    values = np.arange(1, 101).astype(float).tolist()
    found = summarize(rounds(values), timer_ns=0, reference=None, quiet_only=True)
    assert found.p50 is not None
    assert found.p90 is not None
    assert found.p99 is None
    assert found.p99_ci95[1] is None


def test_rounds_that_differ_are_unstable() -> None:
    steady = rounds(*[[10.0] * 20] * 10)
    moody = rounds(*[[10.0] * 20, [14.0] * 20] * 5)
    found = summarize(steady, timer_ns=0, reference=None, quiet_only=True)
    assert (found.spread, found.unstable) == (0, False)
    found = summarize(moody, timer_ns=0, reference=None, quiet_only=True)
    assert found.spread == pytest.approx(1 / 3)
    assert found.unstable
    assert found.as_json()["unstable"]


def test_drift_cancels_against_the_reference_row() -> None:
    drift = [1.0, 1.4, 2.0, 1.1, 1.0, 3.0]
    reference = rounds(*[[10 * factor] * 9 for factor in drift])
    row = rounds(*[[5 * factor] * 9 for factor in drift])
    found = summarize(row, timer_ns=0, reference=reference, quiet_only=True)
    assert found.vs_reference == pytest.approx((0.5, 0.5, 0.5))
    assert found.unstable


def test_disturbed_rounds_are_left_out_where_enough_are_quiet() -> None:
    quiet, disturbed = rounds(*[[10.0] * 50] * 5), rounds(*[[20.0] * 50] * 6, quiet=False)
    assert enough_quiet(quiet + disturbed)
    assert not enough_quiet(quiet[:4] + disturbed)
    reference = rounds(*[[10.0] * 50] * 11)
    found = summarize(quiet + disturbed, timer_ns=0, reference=reference, quiet_only=True)
    assert (found.samples, found.p50, found.max, found.quiet_rounds) == (250, 10.0, 10.0, 5)
    assert found.rounds_p50 == (10.0,) * 5 + (20.0,) * 6
    assert found.vs_reference == pytest.approx((1.0, None, None))
    found = summarize(quiet + disturbed, timer_ns=0, reference=reference, quiet_only=False)
    assert (found.samples, found.p50, found.max) == (550, 20.0, 20.0)


@pytest.mark.parametrize(("share", "least"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_quantile_needs_the_samples_that_can_carry_it(share: float, least: int) -> None:
    samples = np.arange(1, least + 1, dtype=float)
    assert quantile(samples[:-1], share) is None
    found = quantile(samples, share)
    assert found is not None
    assert 1 <= found <= least


def test_quantiles_of_a_known_distribution() -> None:
    samples = np.random.RandomState(0).permutation(np.arange(1001, dtype=float))
    assert quantile(samples, 0.5) == pytest.approx(500)
    assert quantile(samples, 0.9) == pytest.approx(900, abs=1)
    assert quantile(samples, 0.99) == pytest.approx(990, abs=1)
    # Hyndman & Fan's definition 8: the sample of rank (29 + 1/3) * 0.9 + 1/3
    assert quantile(np.arange(1.0, 30), 0.9) == pytest.approx(26.4 + 1 / 3)


@pytest.mark.parametrize(
    ("count", "share", "low", "high"),
    [
        # the ranks that tables of the 95 % interval of a median give
        (6, 0.5, 1, 6),
        (10, 0.5, 2, 9),
        (20, 0.5, 6, 15),
        (100, 0.5, 40, 61),
    ],
)
def test_bounds_of_a_median_are_the_tabulated_ranks(
    count: int, share: float, low: int, high: int
) -> None:
    assert quantile_bounds(np.arange(1.0, count + 1), share) == (low, high)


def test_a_bound_that_the_sample_cannot_carry_is_none() -> None:
    assert quantile_bounds(np.arange(5.0), 0.5) == (None, None)
    assert quantile_bounds(np.arange(367.0), 0.99)[1] is None  # 1 - 0.99**n < 97.5 %
    assert quantile_bounds(np.arange(368.0), 0.99)[1] == 367


def test_bounds_of_a_quantile_hold_their_level() -> None:
    random = np.random.RandomState(2)
    hits = 0
    for _ in range(2_000):
        low, high = quantile_bounds(np.sort(random.exponential(size=400)), 0.9)
        assert low is not None
        assert high is not None
        hits += low <= -np.log(0.1) <= high
    assert 0.94 <= hits / 2_000 <= 0.98  # the level is at least 95 %, a little more
