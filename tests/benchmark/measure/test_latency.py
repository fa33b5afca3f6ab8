import gc
from collections.abc import Callable

import numpy as np
import pytest

from benchmark.measure.latency import (
    Round,
    WarmUp,
    enough_quiet,
    summarize,
    time_calls,
    timer_cost_ns,
    warm_up,
)
from export.runtimes.runner import Values

SECOND = 10**9
INPUTS = [np.zeros(1), np.ones(1)]


class FakeClock:
    """Time passes only when the fake runner works, and a little at every reading."""

    def __init__(self, reading_ns: int = 0) -> None:
        self.now_ns = 0
        self._reading_ns = reading_ns

    def __call__(self) -> int:
        self.now_ns += self._reading_ns
        return self.now_ns


def runner(clock: FakeClock, durations: list[int]) -> Callable[[Values], Values]:
    calls = iter(durations)

    def invoke(value: Values) -> Values:
        clock.now_ns += next(calls)
        return value

    return invoke


def test_every_duration_is_recorded() -> None:
    clock = FakeClock()
    invoke = runner(clock, [10, 20, 30, 40])
    assert time_calls(invoke, INPUTS, samples=4, clock_ns=clock, limit_ns=SECOND) == [
        *(10, 20, 30, 40)
    ]


def test_the_limit_ends_the_samples_but_never_before_the_first() -> None:
    clock = FakeClock()
    invoke = runner(clock, [50] * 100)
    assert len(time_calls(invoke, INPUTS, samples=100, clock_ns=clock, limit_ns=500)) == 11
    assert len(time_calls(invoke, INPUTS, samples=100, clock_ns=clock, limit_ns=0)) == 1


def test_inputs_are_given_in_turn() -> None:
    seen: list[float] = []

    def invoke(value: Values) -> Values:
        seen.append(float(np.asarray(value)[0]))
        return value

    time_calls(invoke, INPUTS, samples=5, clock_ns=FakeClock(), limit_ns=SECOND)
    assert seen == [0, 1, 0, 1, 0]


def test_garbage_collection_is_off_while_timing_and_on_again_after_an_error() -> None:
    states = []

    def invoke(value: Values) -> Values:
        states.append(gc.isenabled())
        if len(states) == 3:
            raise KeyError
        return value

    assert gc.isenabled()
    with pytest.raises(KeyError):
        time_calls(invoke, INPUTS, samples=5, clock_ns=FakeClock(), limit_ns=SECOND)
    assert states == [False, False, False]
    assert gc.isenabled()


def test_the_timers_cost_is_that_of_one_reading() -> None:
    assert timer_cost_ns(FakeClock(reading_ns=40)) == 40


def test_warm_up_ends_when_calls_have_settled() -> None:
    """Batches are of five calls here; the first five batches get faster and faster."""
    clock = FakeClock()
    falling = [
        duration for duration in (200_000, 160_000, 140_000, 120_000, 110_000) for _ in "12345"
    ]
    found = warm_up(
        runner(clock, falling + [100_000] * 1_000), INPUTS, clock_ns=clock, limit_ns=SECOND
    )
    assert found.stable
    assert found.calls == 8 * 5


def test_warm_up_gives_up_at_its_limit() -> None:
    clock = FakeClock()
    growing = [1_000 * 2**n for n in range(40)]
    found = warm_up(runner(clock, growing), INPUTS, clock_ns=clock, limit_ns=SECOND)
    assert not found.stable
    assert 5 <= found.calls < 40


def test_a_slow_model_is_not_called_forever() -> None:
    clock = FakeClock()
    found = warm_up(runner(clock, [SECOND] * 100), INPUTS, clock_ns=clock, limit_ns=SECOND // 4)
    assert found.calls == 1


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
