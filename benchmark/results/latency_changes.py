"""Latencies of two runs on the same machine → what changed, with significance."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from benchmark.judge.statistics import SIGNIFICANCE, Contrast, holm, mean_ratio
from benchmark.measure.latency import MIN_ROUNDS
from benchmark.results.comparable import shared_rows, timed_alike
from benchmark.results.row import Row
from benchmark.results.run import Run

# Two runs of the same machine minutes apart differ by 3 to 4 %, whatever their own scatter says.
MIN_CHANGE = 0.05
MIN_LAUNCHES = 3


@dataclass(frozen=True, kw_only=True)
class LatencyChange:
    """A row's latency in two runs on the same machine.

    Attributes:
        old_us, new_us: the medians of all calls; None where they could not carry it.
        ratio: the new over the old, its p-value corrected; None where there are too few
            undisturbed launches of a process to tell it from noise.
    """

    old_us: float | None
    new_us: float | None
    ratio: Contrast | None

    @property
    def kind(self) -> Literal["slower", "faster", "noise"] | None:
        """What the ratio says; None if there is none."""
        if self.ratio is None:
            return None
        least = math.log1p(MIN_CHANGE)
        if self.ratio.p >= SIGNIFICANCE or abs(math.log(self.ratio.value)) <= least:
            return "noise"
        return "slower" if self.ratio.value > 1 else "faster"


def latency_changes(old: Run, new: Run) -> dict[str, LatencyChange]:
    """Returns how the latency of each row that both runs timed changed, by its name."""
    found = {
        name: LatencyChange(
            old_us=before.p50_us,
            new_us=after.p50_us,
            ratio=compare_latency(launch_medians_us(old, before), launch_medians_us(new, after)),
        )
        for name, (before, after) in shared_rows(old, new).items()
        if before.latency_us is not None
        and after.latency_us is not None
        and timed_alike(old, new, after)
    }
    ratios = {name: change.ratio for name, change in found.items() if change.ratio is not None}
    p_values = holm([ratio.p for ratio in ratios.values()])
    for (name, ratio), p in zip(ratios.items(), p_values, strict=True):
        found[name] = replace(found[name], ratio=replace(ratio, p=p))
    return found


def launch_medians_us(run: Run, row: Row) -> np.ndarray:
    """Returns the median of each of a row's process launches, (launches,), microseconds.

    Of its rounds' medians: of the quiet rounds, where every row of the run, or of its browser, has
    five, as in the run's own statistics; a launch without any is left out.
    """
    if row.latency_us is None:
        return np.empty(0)
    beside = [found for found in run.results if found.browser == row.browser]
    timed = [found.rounds_quiet for found in beside if found.latency_us]
    quiet_only = all(quiet.sum() >= MIN_ROUNDS for quiet in timed)
    used = row.rounds_quiet | (not quiet_only)
    # launch k takes the rounds from k * rounds // launches on
    settings, rounds_us = run.settings, np.array(row.latency_us.rounds_p50)
    numbers = ((np.arange(used.size) + 1) * settings.launches - 1) // settings.rounds
    of_launch = [rounds_us[used & (numbers == k)] for k in np.unique(numbers[used])]
    return np.array([np.median(medians) for medians in of_launch])


def compare_latency(old: np.ndarray, new: np.ndarray) -> Contrast | None:
    """Returns the ratio of two latencies, by Welch's test of the logarithms of launches' medians.

    What another run would draw anew is the launch of a process: where its memory lies moves its
    speed, and the rounds within it share that. So a launch is one observation, as in Georges et
    al. 2007 (Statistically rigorous Java performance evaluation, OOPSLA). A rank test of four
    launches against four cannot get below p = 0.029, which no correction for 14 rows survives.
    Where a whole run is faster than the next no test of two runs can see it; MIN_CHANGE is for
    that.

    Args:
        old: (launches,) microseconds, the median of each launch.
        new: (launches,) likewise.

    Returns:
        None for fewer than three launches of either.
    """
    if min(old.size, new.size) < MIN_LAUNCHES:
        return None
    return mean_ratio(old, new)
