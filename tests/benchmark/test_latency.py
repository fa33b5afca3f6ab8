import gc
from collections.abc import Callable

import numpy as np
import pytest

from benchmark.latency import summarize, time_calls


class FakeClock:
    """Time passes only when the fake runner works."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def runner(clock: FakeClock, durations: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    calls = iter(durations)

    def invoke(value: np.ndarray) -> np.ndarray:
        assert not gc.isenabled() or clock.now_ns < 1_000_000
        clock.now_ns += next(calls)
        return value

    return invoke


def test_only_calls_after_the_warm_up_are_recorded() -> None:
    clock = FakeClock()
    durations = [900, 800, 10, 20, 30, 40]
    found = time_calls(
        runner(clock, durations), np.zeros((2, 1)), samples=4, clock_ns=clock, warm_up=2
    )
    assert found.tolist() == [10, 20, 30, 40]
    assert found.dtype == np.int64


def test_inputs_are_given_in_turn() -> None:
    seen: list[float] = []

    def invoke(value: np.ndarray) -> np.ndarray:
        seen.append(float(value[0]))
        return value

    time_calls(invoke, np.arange(3.0)[:, None], samples=5, clock_ns=FakeClock(), warm_up=0)
    assert seen == [0, 1, 2, 0, 1]


def test_garbage_collection_is_off_while_timing_and_on_again_after_an_error() -> None:
    states = []

    def invoke(value: np.ndarray) -> np.ndarray:
        states.append(gc.isenabled())
        if len(states) == 3:
            raise KeyError
        return value

    assert gc.isenabled()
    with pytest.raises(KeyError):
        time_calls(invoke, np.zeros((1, 1)), samples=5, clock_ns=FakeClock(), warm_up=1)
    assert states == [True, False, False]
    assert gc.isenabled()


def test_summary_in_microseconds() -> None:
    found = summarize(np.arange(1_000, 1_002_000, 1_000))
    assert (found.samples, found.min, found.max, found.mean) == (1_001, 1.0, 1_001.0, 501.0)
    assert found.p50 == pytest.approx(501)
    assert found.p90 == pytest.approx(901, abs=1)
    assert found.p99 == pytest.approx(991, abs=1)


def test_a_small_sample_carries_no_high_percentile() -> None:
    found = summarize(np.arange(1, 101))
    assert found.p50 is not None
    assert found.p90 is not None
    assert found.p99 is None
