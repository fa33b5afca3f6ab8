"""The rows of the table: what was measured of each variant, and the verdict on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmark.judge.evidence import Check, Verdict, reasons_of, worst
from benchmark.judge.limits import Limits
from benchmark.judge.output import ExportFacts, OutputResult, result_of_output
from benchmark.judge.scoring.scores import Accuracy, Scores
from benchmark.judge.task import Task
from benchmark.judge.verdict import judge_file
from benchmark.measure.latency import Latency
from benchmark.measure.measured import LOADING, MeasuredVariant, Unmeasured
from benchmark.measure.variants import Variant
from export.layer_report import LayerReport
from export.verify.distance import Distance

ACCURACY = (  # what a row with labels knows
    *("correct", "total", "lost", "gained", "accuracy", "accuracy_ci95"),
    *("drop_vs_source", "drop_ci95", "mcnemar_p", "agreement", "agreement_ci95"),
    *("ece", "source_ece", "worst_class_drop", "worst_class", "classes"),
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
        layers: what quantization costs, operator by operator; None where that is not known.
        predicted: (N,) the class of each example; None where the main output tells none.
        rounds_ns: the raw samples, a list for each round.
        rounds_quiet: whether the machine ran at its full speed in each round.
        first_round: the number of its first round; rows that took turns have the same.
        verdict, reasons: the judgement.
        checks: what it is made of; of several outputs each name begins with the output's.
    """

    variant: Variant
    size_bytes: int | None = None
    gzip_bytes: int | None = None
    accuracy: Accuracy | None = None
    distance: Distance | None = None
    scores: Scores | None = None
    others: Mapping[str, OutputResult] = field(default_factory=dict)
    latency: Latency | None = None
    scalars: Mapping[str, Any] | None = None
    throughput: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    kernels: dict[str, Any] | None = None
    layers: LayerReport | None = None
    predicted: np.ndarray | None = None
    rounds_ns: tuple[np.ndarray, ...] = ()
    rounds_quiet: tuple[bool, ...] = ()
    first_round: int = 0
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    def as_json(self, limits: Limits) -> dict[str, Any]:
        """Returns the row as a JSON object, raw samples last."""
        found, scalars, baseline = self.accuracy, self.scalars or {}, limits.baseline
        return {
            "name": self.variant.name,
            "format": self.variant.format,
            "runtime": self.variant.runtime,
            "mode": self.variant.mode,
            "threads": self.variant.threads,
            "browser": self.variant.browser,
            "added": self.variant.added is not None,
            "file": self.variant.manifest and self.variant.manifest.file,
            "sha256": self.variant.manifest and self.variant.manifest.sha256,
            "size_bytes": self.size_bytes,
            "gzip_bytes": self.gzip_bytes,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "checks": [check.as_json() for check in self.checks],
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
            "layers": self.layers and asdict(self.layers),
            "predicted": self.predicted,
            "rounds_ns": self.rounds_ns,
            "rounds_quiet": self.rounds_quiet,
        }


def judge_variants(
    measured: Sequence[MeasuredVariant | Unmeasured],
    tasks: Sequence[Task],
    limits: Limits,
    *,
    examples: str,
    same_distribution: bool,
) -> tuple[Result, ...]:
    """Returns a row for every variant.

    Args:
        measured: what measuring gave, in the order of the table.
        tasks: what each output is judged as, the main one first.
        limits: those to keep.
        examples: what the test data is made of, `images` or `examples`.
        same_distribution: as of the test data's `Evaluation`.
    """
    return tuple(
        _not_measured(found)
        if isinstance(found, Unmeasured)
        else _judged(found, tasks, limits, examples, same_distribution=same_distribution)
        for found in measured
    )


def _not_measured(found: Unmeasured) -> Result:
    variant = found.variant
    return Result(
        variant=variant,
        size_bytes=variant.size_bytes,
        gzip_bytes=variant.manifest.gzip_bytes if variant.manifest else None,
        verdict="error",
        reasons=(found.problem,),
        checks=(Check(name="measured", verdict="error", reasons=(found.problem,)),),
    )


def _judged(
    found: MeasuredVariant,
    tasks: Sequence[Task],
    limits: Limits,
    examples: str,
    *,
    same_distribution: bool,
) -> Result:
    variant, latency = found.variant, found.latency
    size_bytes = variant.size_bytes
    p50_us = None if latency.p50 is None else (latency.p50, *latency.p50_ci95)
    of_file = list(judge_file(size_bytes, p50_us, limits))
    export = ExportFacts(
        manifest=variant.manifest,
        scalars=found.scalars,
        examples=examples,
        same_distribution=same_distribution,
        failed=worst(check.verdict for check in of_file) == "fail",
    )
    outputs = {
        task.name: result_of_output(
            task, found.outputs[task.name], export, limits, is_main=number == 0
        )
        for number, task in enumerate(tasks)
    }
    checks = (*_checks(outputs), *of_file)
    main, *others = outputs
    return Result(
        variant=variant,
        size_bytes=size_bytes,
        gzip_bytes=variant.manifest.gzip_bytes if variant.manifest else None,
        accuracy=outputs[main].accuracy,
        distance=outputs[main].distance,
        scores=outputs[main].scores,
        others={name: outputs[name] for name in others},
        latency=latency,
        scalars=found.scalars,
        throughput=found.throughput,
        profile=found.profile,
        kernels=found.kernels,
        layers=variant.manifest.layers if variant.manifest else None,
        predicted=outputs[main].predicted,
        rounds_ns=tuple(part.durations_ns for part in found.rounds),
        rounds_quiet=tuple(part.quiet for part in found.rounds),
        first_round=found.first_round,
        verdict=worst(check.verdict for check in checks),
        reasons=(*_reasons(outputs), *reasons_of(of_file)),
        checks=checks,
    )


def _checks(outputs: Mapping[str, OutputResult]) -> tuple[Check, ...]:
    """Returns what all outputs are judged by; of several each says which it is of."""
    return tuple(
        check if len(outputs) == 1 else replace(check, name=f"{name}: {check.name}")
        for name, found in outputs.items()
        for check in found.checks
    )


def _reasons(outputs: Mapping[str, OutputResult]) -> tuple[str, ...]:
    """Returns all reasons; of several outputs each says which it is of."""
    return tuple(
        reason if len(outputs) == 1 else f"{name}: {reason}"
        for name, found in outputs.items()
        for reason in found.reasons
    )
