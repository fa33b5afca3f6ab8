"""Times single inferences, numpy in → numpy out."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from export.runtimes.runner import Values

Invoke = Callable[[Values], Values]
Clock = Callable[[], int]
Batch = Callable[[int, int], list[int]]

# Warm-up ends when the medians of this many batches in a row are this close, or at the limit.
STABLE_BATCHES = 3
STABLE_SPREAD = 0.02
BATCH_NS = 500_000
MIN_BATCH_CALLS = 5
TIMER_READINGS = 1_000


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """How many calls went before the timed ones, and whether they had settled."""

    calls: int
    stable: bool


def warm_up(invoke: Invoke, inputs: Sequence[Values], *, clock_ns: Clock, limit_ns: int) -> WarmUp:
    """Calls until the medians of three batches in a row differ by at most 2 %.

    Args:
        invoke: runs one inference.
        inputs: given in turn, at least one.
        clock_ns: a monotonic clock in nanoseconds.
        limit_ns: when to give up waiting for that; at least one call is made.
    """

    def batch(first: int, left_ns: int) -> list[int]:
        durations: list[int] = []
        started = now = clock_ns()
        while now - started < BATCH_NS or len(durations) < MIN_BATCH_CALLS:
            if durations and now - started >= left_ns:  # a call takes long
                break
            value = inputs[(first + len(durations)) % len(inputs)]
            before = clock_ns()
            invoke(value)
            now = clock_ns()
            durations.append(now - before)
        return durations

    return settle(batch, clock_ns=clock_ns, limit_ns=limit_ns)


def settle(batch: Batch, *, clock_ns: Clock, limit_ns: int) -> WarmUp:
    """Warms up by batches of calls, as `warm_up` does.

    Args:
        batch: makes calls for some time, given how many went before and the time that is left in
            nanoseconds; returns the duration of each, at least one.
        clock_ns: a monotonic clock in nanoseconds.
        limit_ns: when to give up waiting; at least one call is made.
    """
    medians: list[float] = []
    calls, started = 0, clock_ns()
    while (spent := clock_ns() - started) < limit_ns:
        durations = batch(calls, limit_ns - spent)
        calls += len(durations)
        medians.append(float(np.median(durations)))
        last = medians[-STABLE_BATCHES:]
        if len(last) == STABLE_BATCHES and max(last) <= min(last) * (1 + STABLE_SPREAD):
            return WarmUp(calls=calls, stable=True)
    return WarmUp(calls=calls, stable=False)


def time_calls(
    invoke: Invoke, inputs: Sequence[Values], *, samples: int, clock_ns: Clock, limit_ns: int
) -> list[int]:
    """Returns the duration of each of `samples` calls in nanoseconds, fewer at the limit.

    Garbage collection is off while timing. A reading includes one call of the clock.

    Args:
        invoke: runs one inference.
        inputs: in the runner's own dtype, given in turn, at least one.
        samples: how many calls are timed.
        clock_ns: a monotonic clock in nanoseconds.
        limit_ns: after how long no further call is started, the first one aside.
    """
    durations: list[int] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        deadline = clock_ns() + limit_ns
        for index in range(samples):
            value = inputs[index % len(inputs)]
            started = clock_ns()
            invoke(value)
            ended = clock_ns()
            durations.append(ended - started)
            if ended > deadline:
                break
    finally:
        if collecting:
            gc.enable()
    return durations


def timer_cost_ns(clock_ns: Clock) -> int:
    """Returns what one reading of the clock adds to a duration, in nanoseconds (median)."""
    readings = []
    for _ in range(TIMER_READINGS):
        started = clock_ns()
        readings.append(clock_ns() - started)
    return int(np.median(readings))
