"""`benchmark.json`: everything a run found, as it is written; SCHEMA.md explains each key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmark.advise.explain import Explanation, grouped
from benchmark.advise.recommend import Recommendation
from benchmark.judge.limits import Limits
from benchmark.judge.metrics import Measure
from benchmark.judge.rows import Result
from benchmark.judge.task import Task
from benchmark.measure.conditions import Conditions
from benchmark.measure.variants import KERAS
from benchmark.results.run import SCHEMA_VERSION
from train.common.artifact import package_versions
from train.common.environment import read_environment
from train.common.record import ReferenceOutputs

RUNTIME_PACKAGES = {"litert": "ai-edge-litert", "onnxruntime": "onnxruntime", KERAS: "tensorflow"}


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Everything a run found.

    Attributes:
        results: the rows.
        measure: what they are judged by.
        limits: the limits of the verdict.
        source_accuracy: of the Keras model, 0…1; None for outputs without labels.
        total: how many test examples.
        conditions: of the machine while calls were timed; None if none were.
        call_overhead_us: by runtime, what a call costs that computes nothing; None where that
            could not be measured.
        explanations: what is not as expected of a row, and why.
        recommendation: the export to take on this machine; None if none passes, or if its times
            are an emulator's.
    """

    results: tuple[Result, ...]
    measure: Measure
    limits: Limits
    source_accuracy: float | None
    total: int
    conditions: Conditions | None
    call_overhead_us: dict[str, float | None] = field(default_factory=dict)
    explanations: tuple[Explanation, ...] = ()
    recommendation: Recommendation | None = None


def as_json(
    benchmark: Benchmark,
    settings: Mapping[str, Any],
    reference: ReferenceOutputs,
    main: Task,
    now: datetime,
) -> dict[str, Any]:
    """Returns the content of `benchmark.json`."""
    ran = {found.variant.runtime for found in benchmark.results if found.latency is not None}
    packages = [package for name, package in RUNTIME_PACKAGES.items() if name in ran]
    return {
        "schema_version": SCHEMA_VERSION,
        "created": now.isoformat(timespec="seconds"),
        "environment": read_environment().as_json(),
        "versions": package_versions("numpy", *packages),
        "settings": settings,
        "conditions": benchmark.conditions and benchmark.conditions.as_json(),
        "call_overhead_us": benchmark.call_overhead_us,
        "recommendation": benchmark.recommendation and benchmark.recommendation.as_json(),
        "explanations": grouped(benchmark.explanations),
        "measure": benchmark.measure.as_json(),
        "source": {
            "sha256": reference.model_sha256,
            "accuracy": benchmark.source_accuracy,
            "predicted": main.predicted(main.reference),
        },
        "data": {
            "sha256": reference.data_sha256,
            "total": benchmark.total,
            "classes": list(main.class_names),
            "labels": main.labels,
        },
        "results": [_row(found, benchmark) for found in benchmark.results],
    }


def _row(found: Result, benchmark: Benchmark) -> dict[str, Any]:
    name = found.variant.name
    sentences = [each.sentence for each in benchmark.explanations if each.row == name]
    return {**found.as_json(benchmark.limits), "explanations": sentences}
