"""Times single inferences, numpy in → numpy out."""

import gc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.statistics import quantile

MIN_SAMPLES = 1_000
DEFAULT_SAMPLES = 10_000
WARM_UP_CALLS = 500


def time_calls(
    invoke: Callable[[np.ndarray], np.ndarray],
    values: np.ndarray,
    *,
    samples: int,
    clock_ns: Callable[[], int],
    warm_up: int = WARM_UP_CALLS,
) -> np.ndarray:
    """Returns the duration of each of `samples` calls, (samples,) int64 nanoseconds.

    Garbage collection is off while timing. The reading includes one call of the clock.

    Args:
        invoke: runs one inference.
        values: (N, …) inputs in the runner's own dtype, given in turn, N ≥ 1.
        samples: how many calls are timed.
        clock_ns: a monotonic clock in nanoseconds.
        warm_up: how many calls go before, untimed.
    """
    inputs = list(values)
    for index in range(warm_up):
        invoke(inputs[index % len(inputs)])
    durations = np.empty(samples, np.int64)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for index in range(samples):
            value = inputs[index % len(inputs)]
            started = clock_ns()
            invoke(value)
            durations[index] = clock_ns() - started
    finally:
        if collecting:
            gc.enable()
    return durations


@dataclass(frozen=True, kw_only=True)
class Latency:
    """What the samples say, in microseconds; a percentile they can't carry is None."""

    samples: int
    p50: float | None
    p90: float | None
    p99: float | None
    mean: float
    min: float
    max: float

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)


def summarize(durations_ns: np.ndarray) -> Latency:
    """Returns the statistics of durations (N,) in nanoseconds, N ≥ 1."""
    durations_us = durations_ns / 1_000
    return Latency(
        samples=int(durations_us.size),
        p50=quantile(durations_us, 0.50),
        p90=quantile(durations_us, 0.90),
        p99=quantile(durations_us, 0.99),
        mean=float(durations_us.mean()),
        min=float(durations_us.min()),
        max=float(durations_us.max()),
    )
