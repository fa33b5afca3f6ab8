"""`benchmark.json`: everything a run found, as it is written; SCHEMA.md explains each key."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from benchmark.advise.explain import Explanation, grouped
from benchmark.advise.recommend import Recommendation
from benchmark.judge.limits import Limits
from benchmark.judge.rows import Result
from benchmark.judge.task import Task
from benchmark.measure.conditions import Browser, Conditions
from benchmark.measure.variants import KERAS
from benchmark.results.run import SCHEMA_VERSION
from export.formats.packages import WASM
from export.runtimes.wasm import node_version
from train.common.candidates import Candidates
from train.common.environment import Environment
from train.common.files.artifact import package_versions
from train.common.record import Training
from train.common.reference_outputs import ReferenceOutputs

# The main output of every row on every example, float32 by the row's name.
OUTPUTS_FILE = "benchmark.outputs.npz"
RUNTIME_PACKAGES = {"litert": "ai-edge-litert", "onnxruntime": "onnxruntime", KERAS: "tensorflow"}


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Everything a run found.

    Attributes:
        created: when.
        environment: the machine.
        settings: what the run was told, a JSON object.
        limits: the limits of the verdict.
        reference: the Keras model's outputs.
        training: what the model was trained on; None of one that was given.
        candidates: the networks of the search for limits that found it; None without one.
        task: what the main output is judged as.
        examples: what the test data is made of, `images` or `examples`.
        results: the rows.
        conditions: of the machine while calls were timed; None if none were.
        call_overhead_us: by runtime, what a call costs that computes nothing; None where that
            could not be measured.
        explanations: what is not as expected of a row, and why.
        recommendation: the export to take on this machine; None if none passes, or if its times
            are an emulator's.
        browser: the one that ran the rows named by it; None where there are none.
        browser_recommendation: the export to take in it.
        npu: what was estimated of exports on NPUs, and not run, a JSON object each.
    """

    created: datetime
    environment: Environment
    settings: Mapping[str, Any]
    limits: Limits
    reference: ReferenceOutputs
    task: Task
    examples: str
    training: Training | None = None
    candidates: Candidates | None = None
    results: tuple[Result, ...]
    conditions: Conditions | None
    call_overhead_us: Mapping[str, float | None] = field(default_factory=dict)
    explanations: tuple[Explanation, ...] = ()
    recommendation: Recommendation | None = None
    browser: Browser | None = None
    browser_recommendation: Recommendation | None = None
    npu: tuple[dict[str, Any], ...] = ()

    @property
    def source_file(self) -> str | None:
        """The Keras model's file, as the exports name it."""
        made = (row.variant.manifest for row in self.results if row.variant.added is None)
        return next((manifest.source.file for manifest in made if manifest is not None), None)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of `benchmark.json`."""
        ran = {row.variant.runtime for row in self.results if row.latency is not None}
        packages = [package for name, package in RUNTIME_PACKAGES.items() if name in ran]
        versions = package_versions("numpy", *packages)
        versions |= {"node": node_version()} if WASM in ran and not self.browser else {}
        versions |= self.browser.packages if self.browser else {}
        task = self.task
        return {
            "schema_version": SCHEMA_VERSION,
            "created": self.created.isoformat(timespec="seconds"),
            "environment": self.environment.as_json(),
            "versions": versions,
            "settings": self.settings,
            "conditions": self.conditions and self.conditions.as_json(),
            "call_overhead_us": self.call_overhead_us,
            "recommendation": self.recommendation and self.recommendation.as_json(),
            "browser": self.browser and self.browser.as_json(),
            "browser_recommendation": self.browser_recommendation
            and self.browser_recommendation.as_json(),
            "explanations": grouped(self.explanations),
            "measure": task.measure(self.examples).as_json(),
            "source": {
                "sha256": self.reference.model_sha256,
                "file": self.source_file,
                "training": self.training and asdict(self.training),
                "candidates": self.candidates and asdict(self.candidates),
                "accuracy": task.source_accuracy(),
                "predicted": task.predicted(task.reference),
            },
            "data": {
                "sha256": self.reference.data_sha256,
                "total": len(task.reference),
                "classes": list(task.class_names),
                "labels": task.labels,
            },
            "npu": list(self.npu),
            "results": [self._row_as_json(row) for row in self.results],
        }

    def _row_as_json(self, row: Result) -> dict[str, Any]:
        said = [each.sentence for each in self.explanations if each.row == row.variant.name]
        return {**row.as_json(self.limits), "explanations": said}
