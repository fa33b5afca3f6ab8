"""Measures every variant: its outputs, and the statistics of its calls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.conditions import Browser, Conditions
from benchmark.measure.experiments import Classes
from benchmark.measure.latency import Latency, Round, enough_quiet, summarize
from benchmark.measure.overhead import measure_call_overhead
from benchmark.measure.rounds import MAX_QUIET
from benchmark.measure.session import Measured, OnProgress, Session
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from benchmark.measure.worker.timing import WarmUp
from export.data.test_data import Evaluation, unpacked

LOADING = (
    *("start_to_first_result_ms", "load_ms", "first_inference_us"),
    *("peak_rss_bytes", "peak_rss_over_empty_bytes"),
)
Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class MeasuredVariant:
    """What measuring a variant gave.

    Attributes:
        variant: what was measured.
        scalars: what loading took and what else the worker said, by name.
        outputs: (N, …) by name, not yet read into memory.
        latency: of single calls.
        rounds: the timed calls.
        first_round: the number of its first round; rows that took turns have the same.
        throughput: examples per second, in batches or one by one; or the error that left none.
        profile: the time of each operator; or the error that left none.
        kernels: which operators run, and which outside a delegate; or the error that left none.
    """

    variant: Variant
    scalars: Answer
    outputs: Mapping[str, np.ndarray]
    latency: Latency
    rounds: tuple[Round, ...]
    first_round: int
    throughput: Answer | None
    profile: Answer | None
    kernels: Answer | None


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A variant that could not be measured, and why."""

    variant: Variant
    problem: str


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What measuring gave.

    Attributes:
        variants: in the order of the table.
        conditions: of the machine while calls were timed; None if none were.
        call_overhead_us: by runtime, what a call costs that computes nothing; None where that
            could not be measured.
    """

    variants: list[MeasuredVariant | Unmeasured]
    conditions: Conditions | None
    call_overhead_us: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class InBrowser:
    """What measuring in a browser gave: the browser, and its rows in the order of the table."""

    browser: Browser
    variants: list[MeasuredVariant | Unmeasured]


# Measures some variants, of this machine, in a browser; raw results are kept as they come.
MeasureInBrowser = Callable[
    [Sequence[Variant], MeasureSettings, PartialResults, Evaluation, OnProgress], InBrowser
]


def measure_variants(
    variants: Sequence[Variant],
    settings: MeasureSettings,
    raw: PartialResults,
    test: Evaluation,
    main: Classes,
    folder: Path,
    on_progress: OnProgress,
) -> Measurements:
    """Measures all variants, and goes on with what is in `raw` already.

    Args:
        variants: the rows, in the order of the table.
        settings: how they are measured.
        raw: where raw results are kept.
        test: the test data and the Keras model's outputs on it.
        main: the output that the table is of.
        folder: a temporary one.
        on_progress: told what is being done, and the share that is done.
    """
    inputs = unpacked(test.samples, folder)
    measured = Session(settings, raw, inputs, test.reference, main, on_progress).run(variants)
    runtimes = dict.fromkeys(s.runtime for s in variants if s.runtime and not s.problem)
    return Measurements(
        call_overhead_us=measure_call_overhead(runtimes, raw, folder),
        conditions=measured.conditions,
        variants=collect(variants, raw, measured),
    )


def collect(
    variants: Sequence[Variant], raw: PartialResults, measured: Measured
) -> list[MeasuredVariant | Unmeasured]:
    """Returns what the raw results say of every variant, in the order of the table."""
    first = min((numbers.start for numbers in measured.rounds.values()), default=0)
    last = max((numbers.stop for numbers in measured.rounds.values()), default=0)
    rounds = raw.rounds(range(first, last))
    timed = {
        variant.key: tuple(_rounds_of(variant.key, rounds, measured))
        for variant in variants
        if variant.key not in measured.problems
    }
    quiet_only = all(map(enough_quiet, timed.values()))
    found: list[MeasuredVariant | Unmeasured] = []
    for variant in variants:
        key = variant.key
        problem, scalars = measured.problems.get(key), raw.row(key)
        if problem is not None or scalars is None:
            found.append(Unmeasured(variant=variant, problem=problem or "it was not measured"))
            continue
        latency = summarize(
            timed[key],
            timer_ns=scalars["timer_ns"],
            reference=timed.get(measured.reference.get(key, "")),
            quiet_only=quiet_only,
        )
        found.append(
            MeasuredVariant(
                variant=variant,
                scalars=scalars | _loading(key, rounds, measured),
                outputs=raw.outputs(key),
                latency=latency,
                rounds=timed[key],
                first_round=measured.rounds[key].start,
                throughput=raw.answer(key, "throughput"),
                profile=raw.answer(key, "profile"),
                kernels=raw.answer(key, "kernels"),
            )
        )
    return found


def _rounds_of(key: str, rounds: Mapping[int, Answer], measured: Measured) -> Iterator[Round]:
    """Yields a variant's rounds, of a variant without a problem."""
    slices = [answer for answers in rounds.values() for answer in answers.values()]
    fastest = min(answer["probe_ns"] for answer in slices if "probe_ns" in answer)
    for number in measured.rounds[key]:
        answer = rounds.get(number, {}).get(key)
        if answer is not None:
            yield Round(
                durations_ns=answer["durations_ns"],
                warm_up=WarmUp(calls=answer["warm_up_calls"], stable=answer["stable"]),
                quiet=answer["probe_ns"] <= MAX_QUIET * fastest,
                calls=answer.get("calls", 1),
            )


def _loading(key: str, rounds: Mapping[int, Answer], measured: Measured) -> Answer:
    """Returns what loading took, the median of its processes, and whether all were pinned."""
    answers = [rounds.get(number, {}).get(key, {}) for number in measured.rounds[key]]
    told = {name: [answer[name] for answer in answers if name in answer] for name in LOADING}
    medians = {name: float(np.median(values)) for name, values in told.items() if values}
    return {**medians, "pinned": all(answer.get("pinned", True) for answer in answers)}
