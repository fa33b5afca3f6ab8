"""Raw results → statistics → verdicts: what a row of the table knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark.judge.classification import Accuracy
from benchmark.judge.limits import Limits
from benchmark.judge.output import ExportFacts, OutputResult, result_of_output
from benchmark.judge.scores import Scores
from benchmark.judge.task import Task
from benchmark.judge.verdict import Verdict, judge_file, verdict_of
from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.latency import Latency, Round, WarmUp, enough_quiet, summarize
from benchmark.measure.session import MAX_QUIET, Measured
from benchmark.measure.variants import Variant
from export.verify.distance import Distance

ACCURACY = (  # what a row with labels knows
    *("correct", "total", "lost", "gained", "accuracy", "accuracy_ci95"),
    *("drop_vs_source", "drop_ci95", "mcnemar_p", "agreement", "agreement_ci95"),
    *("ece", "source_ece", "worst_class_drop", "worst_class", "classes"),
)
LOADING = (
    *("start_to_first_result_ms", "load_ms", "first_inference_us"),
    *("peak_rss_bytes", "peak_rss_over_empty_bytes"),
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A row of the table; what could not be measured is None.

    Attributes:
        variant: what was measured.
        size_bytes, gzip_bytes: of the file.
        accuracy: of the main output's classes against labels and Keras model; None without.
        distance: of the main output from the Keras model's.
        scores: of the main output, by the metric that judges it.
        others: the model's other outputs, by name.
        latency: of single calls.
        scalars: what loading took and what else the worker said, by name.
        throughput: examples a second, in batches or one by one; or why it could not be had.
        profile: the time of each operator; or why it could not be had.
        kernels: which operators run, and which outside a delegate; or why that is not known.
        predicted: (N,) the class of each example; None where the main output tells none.
        rounds_ns: the raw samples, a list for each round.
        rounds_quiet: whether the machine ran at its full speed in each round.
        first_round: the number of its first round; rows that took turns have the same.
        verdict, reasons: the judgement.
    """

    variant: Variant
    size_bytes: int | None = None
    gzip_bytes: int | None = None
    accuracy: Accuracy | None = None
    distance: Distance | None = None
    scores: Scores | None = None
    others: Mapping[str, OutputResult] = field(default_factory=dict)
    latency: Latency | None = None
    scalars: dict[str, Any] | None = None
    throughput: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    kernels: dict[str, Any] | None = None
    predicted: np.ndarray | None = None
    rounds_ns: tuple[np.ndarray, ...] = ()
    rounds_quiet: tuple[bool, ...] = ()
    first_round: int = 0
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    def as_json(self, limits: Limits) -> dict[str, Any]:
        """Returns the row as a JSON object, raw samples last."""
        found, scalars, baseline = self.accuracy, self.scalars or {}, limits.baseline
        return {
            "name": self.variant.name,
            "format": self.variant.format,
            "runtime": self.variant.runtime,
            "mode": self.variant.mode,
            "threads": self.variant.threads,
            "size_bytes": self.size_bytes,
            "gzip_bytes": self.gzip_bytes,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            **(found.as_json() if found else dict.fromkeys(ACCURACY)),
            "delta_vs_baseline": None
            if found is None or baseline is None
            else found.overall.accuracy - baseline,
            "distance": None if self.distance is None else self.distance.as_json(),
            "scores": self.scores and self.scores.as_json(),
            "outputs": {name: other.as_json() for name, other in self.others.items()},
            "latency_us": self.latency and self.latency.as_json(),
            **{
                name: scalars.get(name)
                for name in (*LOADING, "call", "pinned", "clipped_share", "input_range_use")
            },
            "throughput": self.throughput,
            "profile": self.profile,
            "kernels": self.kernels,
            "predicted": self.predicted,
            "rounds_ns": self.rounds_ns,
            "rounds_quiet": self.rounds_quiet,
        }


def conclude(
    variants: list[Variant],
    raw: PartialResults,
    measured: Measured,
    tasks: Sequence[Task],
    limits: Limits,
    *,
    examples: str = "images",
    same_distribution: bool = True,
) -> list[Result]:
    """Derives every row's statistics and verdict from the raw results.

    Args:
        variants: the rows, in the order of the table.
        raw: what the workers gave.
        measured: what else happened.
        tasks: what each output is judged as, the main one first.
        limits: the limits.
        examples: what the test data is made of, `images` or `examples`.
        same_distribution: as of the test data's `Evaluation`.
    """
    rounds = raw.rounds(
        range(max((numbers.stop for numbers in measured.rounds.values()), default=0))
    )
    results = []
    timed = {
        variant.key: _rounds_of(variant.key, rounds, measured)
        for variant in variants
        if variant.key not in measured.problems
    }
    quiet_only = all(map(enough_quiet, timed.values()))
    for variant in variants:
        manifest = variant.manifest
        size_bytes = variant.size_bytes
        gzip_bytes = manifest.gzip_bytes if manifest else None
        problem, scalars = measured.problems.get(variant.key), raw.row(variant.key)
        if problem is not None or scalars is None:
            results.append(
                Result(
                    variant=variant,
                    size_bytes=size_bytes,
                    gzip_bytes=gzip_bytes,
                    verdict="error",
                    reasons=(problem or "it was not measured",),
                )
            )
            continue
        scalars |= _medians(variant.key, rounds, measured)
        rounds_of_row = timed[variant.key]
        latency = summarize(
            rounds_of_row,
            timer_ns=scalars["timer_ns"],
            reference=timed.get(measured.reference.get(variant.key, "")),
            quiet_only=quiet_only,
        )
        p50_us = None if latency.p50 is None else (latency.p50, *latency.p50_ci95)
        of_file = list(judge_file(size_bytes, p50_us, limits))
        export = ExportFacts(
            manifest=manifest,
            scalars=scalars,
            examples=examples,
            same_distribution=same_distribution,
            failed=verdict_of(of_file) == "fail",
        )
        outputs = raw.outputs(variant.key)
        main, *others = (
            result_of_output(task, outputs[task.name], export, limits, is_main=number == 0)
            for number, task in enumerate(tasks)
        )
        named = dict(zip((task.name for task in tasks), (main, *others), strict=True))
        results.append(
            Result(
                variant=variant,
                size_bytes=size_bytes,
                gzip_bytes=gzip_bytes,
                accuracy=main.accuracy,
                distance=main.distance,
                scores=main.scores,
                others={name: found for name, found in named.items() if found is not main},
                latency=latency,
                scalars=scalars,
                throughput=raw.answer(variant.key, "throughput"),
                profile=raw.answer(variant.key, "profile"),
                kernels=raw.answer(variant.key, "kernels"),
                predicted=main.predicted,
                rounds_ns=tuple(found.durations_ns for found in rounds_of_row),
                rounds_quiet=tuple(found.quiet for found in rounds_of_row),
                first_round=measured.rounds[variant.key].start,
                verdict=_worst([verdict_of(of_file), *(found.verdict for found in named.values())]),
                reasons=(*_reasons(named), *(reason for _, reason in of_file)),
            )
        )
    return results


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")
    return next(verdict for verdict in order if verdict in verdicts)


def _reasons(outputs: Mapping[str, OutputResult]) -> tuple[str, ...]:
    """Returns all reasons; of several outputs each says which it is of."""
    return tuple(
        reason if len(outputs) == 1 else f"{name}: {reason}"
        for name, found in outputs.items()
        for reason in found.reasons
    )


def _rounds_of(key: str, rounds: dict[int, dict[str, Any]], measured: Measured) -> list[Round]:
    """Returns a row's rounds, of a row without a problem."""
    found = []
    slices = [answer for answers in rounds.values() for answer in answers.values()]
    fastest = min(answer["probe_ns"] for answer in slices if "probe_ns" in answer)
    for number in measured.rounds[key]:
        answer = rounds.get(number, {}).get(key)
        if answer is None:
            continue
        warmed = WarmUp(calls=answer["warm_up_calls"], stable=answer["stable"])
        found.append(
            Round(
                durations_ns=answer["durations_ns"],
                warm_up=warmed,
                quiet=answer["probe_ns"] <= MAX_QUIET * fastest,
            )
        )
    return found


def _medians(key: str, rounds: dict[int, dict[str, Any]], measured: Measured) -> dict[str, Any]:
    """Returns what loading took, the median of the row's processes, and if all were pinned."""
    answers = [rounds.get(number, {}).get(key, {}) for number in measured.rounds[key]]
    medians = {
        name: float(np.median([answer[name] for answer in answers if name in answer]))
        for name in LOADING
    }
    return {**medians, "pinned": all(answer.get("pinned", True) for answer in answers)}
