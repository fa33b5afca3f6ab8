"""How long an inference takes on this machine."""

import time
from collections.abc import Callable, Iterable
from itertools import cycle
from typing import Any

import numpy as np

ROUNDS, ROUND_S = 15, 0.02
LEAST_CALLS = 3  # in each round


def latency_us(run: Callable[[Any], Any], inputs: Iterable[Any]) -> float:
    """Returns the median time of a call in microseconds, that of the fastest of several rounds.

    What else runs on the machine makes some rounds slower, and none faster.

    Args:
        run: the call, as of a runner that has been entered.
        inputs: what it is given in turn.
    """
    given = cycle(inputs)
    run(next(given))
    return min(_median_ns(run, given) for _ in range(ROUNDS)) / 1000


def _median_ns(run: Callable[[Any], Any], given: "cycle[Any]") -> float:
    took: list[int] = []
    end = time.perf_counter_ns() + int(ROUND_S * 1e9)
    while len(took) < LEAST_CALLS or time.perf_counter_ns() < end:
        value = next(given)
        start = time.perf_counter_ns()
        run(value)
        took.append(time.perf_counter_ns() - start)
    return float(np.median(took))
