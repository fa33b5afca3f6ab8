"""What a row's latency samples say: percentiles, their intervals, and how steady they are."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.measure.worker.timing import WarmUp

CONFIDENCE = 0.95
# The spread of the rounds' medians, 10 % to 90 %, above which a row is called unstable.
MAX_SPREAD = 0.10
MIN_ROUNDS = 5


def quantile(samples: np.ndarray, share: float) -> float | None:
    """Returns a quantile of samples (N,), or None where N is too small to bound it.

    N must be so large that the largest sample lies above the true quantile with 95 %
    confidence, 1 - share**N ≥ 0.95: 5 for the median, 29 for p90, 299 for p99. This bound
    holds for any distribution (Wilks 1941). The estimate is median-unbiased
    (Hyndman & Fan 1996, definition 8).
    """
    if 1 - share**samples.size < CONFIDENCE:
        return None
    return float(np.quantile(samples, share, method="median_unbiased"))


def quantile_bounds(samples: np.ndarray, share: float) -> tuple[float | None, float | None]:
    """Returns the two-sided 95 % interval of a quantile; a side that N can't carry is None.

    The interval's ends are order statistics, whose ranks follow from the binomial distribution
    whatever the samples' distribution (David & Nagaraja 2003, Order Statistics, 7.1). It takes
    the samples as independent, which drift of the machine belies.

    Args:
        samples: (N,) in ascending order, N ≥ 1.
        share: which quantile, in 0…1.
    """
    tail = (1 - CONFIDENCE) / 2
    count = samples.size
    spread = math.sqrt(count * share * (1 - share))
    ranks = np.arange(
        max(0, math.floor(count * share - 10 * spread - 10)),
        min(count, math.ceil(count * share + 10 * spread + 10)) + 1,
    )
    # at_most[i]: probability that ranks[i] or fewer samples lie below the true quantile
    at_most = np.cumsum(binomial_probabilities(ranks, count, share))
    # the sample of rank r (from 1) lies above the quantile if at most r - 1 lie below it
    low_ranks = ranks[at_most <= tail] + 1
    high_ranks = ranks[at_most >= 1 - tail] + 1
    low = float(samples[low_ranks[-1] - 1]) if low_ranks.size else None
    high = float(samples[high_ranks[0] - 1]) if high_ranks[:1] <= count else None
    return low, high


def binomial_probabilities(successes: np.ndarray, trials: int, share: float) -> np.ndarray:
    """Returns the probability of each of some numbers of successes, (N,) integers ≥ 0."""
    lgamma = np.vectorize(math.lgamma, otypes=[float])
    logarithms = (
        math.lgamma(trials + 1)
        - lgamma(successes + 1)
        - lgamma(trials - successes + 1)
        + successes * math.log(share)
        + (trials - successes) * math.log1p(-share)
    )
    probabilities: np.ndarray = np.exp(logarithms)
    return probabilities


@dataclass(frozen=True, kw_only=True)
class Latency:
    """What the samples say, in microseconds; what they can't carry is None.

    Statistics are of the quiet rounds, in which a fixed piece of Python ran at its full speed,
    so that the machine did; of all rounds where any row of the run has fewer than five such.

    Attributes:
        samples: how many single calls, or means of `calls_per_sample`, the statistics are of.
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
        calls_per_sample: of how many calls a sample is the mean, at most; of several, no tail of
            single calls can be told.
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
    calls_per_sample: int = 1

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
        calls: how many calls each duration is the mean of: several where the clock is a coarse one.
    """

    durations_ns: np.ndarray
    warm_up: WarmUp
    quiet: bool
    calls: int = 1


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
    calls = max(found.calls for found in used)
    told = {share: calls == 1 or share == 0.5 for share in (0.5, 0.9, 0.99, 0.999)}
    percentiles = {s: quantile(durations_us, s) if told[s] else None for s in told}
    bounds = {s: quantile_bounds(durations_us, s) if told[s] else (None, None) for s in told}
    return Latency(
        samples=int(durations_us.size),
        p50=percentiles[0.5],
        p90=percentiles[0.9],
        p99=percentiles[0.99],
        p999=percentiles[0.999],
        p50_ci95=bounds[0.5],
        p90_ci95=bounds[0.9],
        p99_ci95=bounds[0.99],
        p999_ci95=bounds[0.999],
        mean=float(durations_us.mean()),
        min=float(durations_us[0]),
        max=float(durations_us[-1]),
        rounds_p50=tuple(medians),
        spread=spread,
        timer=timer_ns / 1_000 / calls,
        warm_up_calls=sum(found.warm_up.calls for found in rounds),
        settled=2 * sum(found.warm_up.stable for found in rounds) > len(rounds),
        quiet_rounds=sum(found.quiet for found in rounds),
        vs_reference=_ratio(rounds, reference),
        calls_per_sample=calls,
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
