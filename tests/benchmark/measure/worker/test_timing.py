import gc
from collections.abc import Callable

import numpy as np
import pytest

from benchmark.measure.worker.timing import time_calls, timer_cost_ns, warm_up
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
