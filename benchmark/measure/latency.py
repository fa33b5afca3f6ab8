"""Times single inferences, numpy in → numpy out, and says what the samples say."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.judge.statistics import quantile, quantile_bounds
from export.runtimes.runner import Values

Invoke = Callable[[Values], Values]
Clock = Callable[[], int]

# Warm-up ends when the medians of this many batches in a row are this close, or at the limit.
STABLE_BATCHES = 3
STABLE_SPREAD = 0.02
BATCH_NS = 500_000
MIN_BATCH_CALLS = 5
# The spread of the rounds' medians, 10 % to 90 %, above which a row is called unstable.
MAX_SPREAD = 0.10
MIN_ROUNDS = 5
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
    medians: list[float] = []
    calls = 0
    started = now = clock_ns()
    while now - started < limit_ns:
        durations: list[int] = []
        batch_started = now
        while now - batch_started < BATCH_NS or len(durations) < MIN_BATCH_CALLS:
            if durations and now - started >= limit_ns:  # a call takes long
                break
            value = inputs[calls % len(inputs)]
            before = clock_ns()
            invoke(value)
            now = clock_ns()
            durations.append(now - before)
            calls += 1
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


@dataclass(frozen=True, kw_only=True)
class Latency:
    """What the samples say, in microseconds; what they can't carry is None.

    Statistics are of the quiet rounds, in which a fixed piece of Python ran at its full speed,
    so that the machine did; of all rounds where any row of the run has fewer than five such.

    Attributes:
        samples: how many single calls the statistics are of.
        p50: their median; the other percentiles likewise.
        p50_ci95: distribution-free 95 % interval; it takes the calls as independent.
        rounds_p50: the median of each round, the disturbed ones too.
        spread: 90th less 10th percentile of the medians of the rounds that the statistics are
            of, over their median; None for fewer than five.
        timer: what reading the clock adds to every sample.
        warm_up_calls: how many untimed calls went before, over all rounds.
        settled: whether the calls had settled before timing, in most rounds.
        quiet_rounds: in how many rounds the machine ran at its full speed.
        vs_reference: median over the rounds of this row's median over the reference row's, so
            that drift of the machine cancels, and its 95 % interval; of the quiet rounds, where
            there are five.
    """

    samples: int
    p50: float | None
    p90: float | None
    p99: float | None
    p999: float | None
    p50_ci95: tuple[float | None, float | None]
    p90_ci95: tuple[float | None, float | None]
    p99_ci95: tuple[float | None, float | None]
    p999_ci95: tuple[float | None, float | None]
    mean: float
    min: float
    max: float
    rounds_p50: tuple[float, ...]
    spread: float | None
    timer: float
    warm_up_calls: int
    settled: bool
    quiet_rounds: int
    vs_reference: tuple[float, float | None, float | None] | None = None

    @property
    def unstable(self) -> bool:
        """Whether the rounds differ so much that the percentiles mix several speeds."""
        return self.spread is not None and self.spread > MAX_SPREAD

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return {**asdict(self), "unstable": self.unstable}


@dataclass(frozen=True, kw_only=True)
class Round:
    """One slice of timed calls.

    Attributes:
        durations_ns: (samples,) int64, of each call.
        warm_up: what went before.
        quiet: whether a fixed piece of Python, timed before and after, ran at its full speed.
    """

    durations_ns: np.ndarray
    warm_up: WarmUp
    quiet: bool


def enough_quiet(rounds: Sequence[Round]) -> bool:
    """Returns whether a row's quiet rounds alone can carry its statistics."""
    return sum(found.quiet for found in rounds) >= MIN_ROUNDS


def summarize(
    rounds: Sequence[Round], *, timer_ns: int, reference: Sequence[Round] | None, quiet_only: bool
) -> Latency:
    """Returns the statistics of a row's rounds.

    Args:
        rounds: at least one, each with at least one duration.
        timer_ns: cost of one reading of the clock.
        reference: the rounds of the row to compare with, taken in turns with these; None to
            compare with nothing.
        quiet_only: whether to take the quiet rounds only; the same for all rows of a run, or
            they could not be compared.
    """
    used = [found for found in rounds if found.quiet or not quiet_only]
    durations_us = np.sort(np.concatenate([found.durations_ns for found in used]) / 1_000)
    medians = [float(np.median(found.durations_ns)) / 1_000 for found in rounds]
    spread = None
    if len(used) >= MIN_ROUNDS:
        of_used = [float(np.median(found.durations_ns)) for found in used]
        low, middle, high = np.quantile(of_used, (0.1, 0.5, 0.9))
        spread = float((high - low) / middle) if middle else None
    bounds = {share: quantile_bounds(durations_us, share) for share in (0.5, 0.9, 0.99, 0.999)}
    return Latency(
        samples=int(durations_us.size),
        p50=quantile(durations_us, 0.50),
        p90=quantile(durations_us, 0.90),
        p99=quantile(durations_us, 0.99),
        p999=quantile(durations_us, 0.999),
        p50_ci95=bounds[0.5],
        p90_ci95=bounds[0.9],
        p99_ci95=bounds[0.99],
        p999_ci95=bounds[0.999],
        mean=float(durations_us.mean()),
        min=float(durations_us[0]),
        max=float(durations_us[-1]),
        rounds_p50=tuple(medians),
        spread=spread,
        timer=timer_ns / 1_000,
        warm_up_calls=sum(found.warm_up.calls for found in rounds),
        settled=2 * sum(found.warm_up.stable for found in rounds) > len(rounds),
        quiet_rounds=sum(found.quiet for found in rounds),
        vs_reference=_ratio(rounds, reference),
    )


def _ratio(
    rounds: Sequence[Round], reference: Sequence[Round] | None
) -> tuple[float, float | None, float | None] | None:
    if reference is None:
        return None
    pairs = list(zip(rounds, reference, strict=False))
    return paired_ratio(
        [float(np.median(a.durations_ns) / np.median(b.durations_ns)) for a, b in pairs],
        [a.quiet and b.quiet for a, b in pairs],
    )


def paired_ratio(
    ratios: Sequence[float], quiet: Sequence[bool]
) -> tuple[float, float | None, float | None] | None:
    """Returns the median of some rounds' ratios and its 95 % interval; None for no rounds.

    Args:
        ratios: of two rows' medians, round by round.
        quiet: in which rounds the machine ran at its full speed; those count alone where there
            are five.
    """
    used = [ratio for ratio, is_quiet in zip(ratios, quiet, strict=True) if is_quiet]
    found = np.sort(used if len(used) >= MIN_ROUNDS else ratios)
    return (float(np.median(found)), *quantile_bounds(found, 0.5)) if found.size else None
