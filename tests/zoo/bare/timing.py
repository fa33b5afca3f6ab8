"""How long two files take for one example, call by call in turns: their ratio outlives noise."""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from export.runtimes.runner import Runner, Values

FEEDS = 16  # different examples
WARM_UP = 0.05  # seconds
SECONDS = 0.4  # of measuring, in which two files take turns
BLOCK = 0.001  # seconds that a file is called for, before the other's turn
MIN_ROUNDS = 5
REPEATS = 3  # of a ratio that looks bad; noise only makes it worse


def feeds(values: Values) -> list[Values]:
    """Returns some of the calls (calls, batch, …) that `encode_all` made."""
    if isinstance(values, tuple):
        return list(zip(*(each[:FEEDS] for each in values), strict=True))
    return list(values[:FEEDS])


def p50_us(
    runners: Sequence[Runner], inputs: Sequence[Sequence[Values]], worst: float
) -> tuple[float, float]:
    """Returns the median time of a call of two entered runners, in microseconds.

    Args:
        runners: two of them.
        inputs: what each is called with.
        worst: a ratio of the first to the second beyond which it is measured again.
    """
    found = _p50_us(runners, inputs)
    for _ in range(REPEATS - 1):
        if found[0] <= worst * found[1]:
            break
        again = _p50_us(runners, inputs)
        found = min(found, again, key=lambda each: each[0] / each[1])
    return found


def _p50_us(runners: Sequence[Runner], inputs: Sequence[Sequence[Values]]) -> tuple[float, float]:
    calls = [_calls(runner, given) for runner, given in zip(runners, inputs, strict=True)]
    took = [_seconds(each, WARM_UP)[1] for each in calls]
    rounds = max(MIN_ROUNDS, int(SECONDS / sum(max(BLOCK, one) for one in took)))
    samples: list[list[float]] = [[], []]
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            samples[which].append(_seconds(calls[which], BLOCK)[1])
    first, second = (float(np.median(each)) * 1e6 for each in samples)
    return first, second


def _calls(runner: Runner, given: Sequence[Values]) -> Iterator[None]:
    while True:
        for values in given:
            runner.invoke(values)
            yield


def _seconds(calls: Iterator[None], least: float) -> tuple[int, float]:
    """Makes calls for a while, one at least; returns how many, and the time of one."""
    started = time.perf_counter()
    count = 0
    while True:
        next(calls)
        count += 1
        now = time.perf_counter()
        if now - started >= least:
            return count, (now - started) / count
