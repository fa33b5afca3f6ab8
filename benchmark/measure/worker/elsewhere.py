"""Times a model that is called in another process than the worker, by that process's own clock."""

from collections.abc import Sequence
from typing import Any

from benchmark.measure.worker.timing import BATCH_NS, MIN_BATCH_CALLS, Clock, settle
from export.runtimes.runner import ProcessRunner, Timed, Values

WARM_UP_INPUTS = 100  # as they are sent again for each batch


def time_elsewhere(
    runner: ProcessRunner,
    inputs: Sequence[Values],
    *,
    samples: int,
    warm_up_ns: int,
    limit_ns: int,
    clock_ns: Clock,
) -> dict[str, Any]:
    """Times one slice of single inferences, warmed up, as `LoadedModel.do_time` answers.

    Args:
        runner: the loaded file.
        inputs: given in turn, at least one.
        samples: how many calls are timed.
        warm_up_ns: when to give up waiting for calls that take as long as those before.
        limit_ns: after how long no further call is started, the first one aside.
        clock_ns: a monotonic clock of this process, in nanoseconds.
    """
    made: list[Timed] = []

    def batch(first: int, left_ns: int) -> list[int]:
        durations: list[int] = []
        for count, limit in ((samples, min(BATCH_NS, left_ns)), (MIN_BATCH_CALLS, left_ns)):
            if len(durations) < MIN_BATCH_CALLS and (not durations or sum(durations) < left_ns):
                made.append(runner.time(inputs[:WARM_UP_INPUTS], samples=count, limit_ns=limit))
                durations += made[-1].durations_ns
        return durations

    warmed = settle(batch, clock_ns=clock_ns, limit_ns=warm_up_ns)
    made.append(runner.time(inputs, samples=samples, limit_ns=limit_ns))
    return {
        "durations_ns": made[-1].durations_ns,
        "warm_up_calls": warmed.calls,
        "stable": warmed.stable,
        "cpu_s": sum(each.cpu_s for each in made),
        "preemptions": made[-1].preemptions,
    }


def images_per_second(runner: ProcessRunner, inputs: Sequence[Values], limit_ns: int) -> float:
    """Returns how many examples a second calls make, one by one, for so many nanoseconds."""
    runner.time(inputs, samples=len(inputs), limit_ns=limit_ns // 4)
    most = max(len(inputs), limit_ns // 1_000)
    durations = runner.time(inputs, samples=most, limit_ns=limit_ns).durations_ns
    return 1e9 * len(durations) / max(1, sum(durations))
