"""One output of one export: its scores, what looks wrong with it, and the verdict on it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.judge.evidence import Check, OutputEvidence, Verdict, reasons_of, worst
from benchmark.judge.limits import Limits
from benchmark.judge.scoring.classification import compare
from benchmark.judge.scoring.scores import Accuracy, Scores
from benchmark.judge.symptoms import (
    experiment_symptoms,
    input_symptoms,
    output_symptoms,
    value_symptoms,
)
from benchmark.judge.task import Task
from benchmark.judge.verdict import judge_output
from benchmark.judge.verified import loudest_share
from export.formats.table import FORMATS
from export.manifest import Manifest
from export.verify.channels import in_words, lost_channels
from export.verify.distance import Distance, are_classes
from export.verify.floors import least_agreement, least_equal, sampling_error

VERIFIED = ("agreement", "snr_db")


@dataclass(frozen=True, kw_only=True)
class OutputResult:
    """What is known of an output.

    Attributes:
        scores: by the metric that judges it.
        distance: from the Keras model's.
        accuracy: of its classes against labels and Keras model; None without.
        predicted: (N,) int32 classes; None where it tells none.
        verdict, reasons: the judgement on it alone.
        checks: what that is made of.
    """

    scores: Scores
    distance: Distance
    accuracy: Accuracy | None
    predicted: np.ndarray | None
    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object, without the classes."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "scores": self.scores.as_json(),
            "distance": self.distance.as_json(),
        }


@dataclass(frozen=True, kw_only=True)
class ExportFacts:
    """What all outputs of an export share.

    Attributes:
        manifest: of the export; None for Keras.
        scalars: what its worker said.
        examples: what the test data is made of, `images` or `examples`.
        same_distribution: as of the test data's `Evaluation`. Where the test data may be unlike
            what calibrated the export, how it fills the inputs' ranges only explains a failure.
        failed: whether the export fails whatever its outputs, so that symptoms are looked for.
    """

    manifest: Manifest | None
    scalars: Mapping[str, Any]
    examples: str
    same_distribution: bool
    failed: bool


def result_of_output(
    task: Task, outputs: np.ndarray, export: ExportFacts, limits: Limits, *, is_main: bool
) -> OutputResult:
    """Scores and judges an output.

    Args:
        task: what it is judged as.
        outputs: (N, …) the export's.
        export: what all outputs of the export share.
        limits: those to keep.
        is_main: whether it is the one that the table is of.
    """
    scores, scalars = task.score(outputs), export.scalars
    entry = FORMATS.get(export.manifest.format) if export.manifest is not None else None
    lost = () if task.exact else lost_channels(outputs, task.reference)
    of_inputs = []
    if is_main:
        of_inputs = input_symptoms(scalars["clipped_share"], scalars["input_range_use"])
    evidence = OutputEvidence(
        scores=scores,
        distance=task.distance(outputs),
        loudest_share=0.0 if task.exact else loudest_share(outputs, task.reference),
        verified=_verified(task, export.manifest),
        baseline=limits.baseline if is_main and task.metric == "accuracy" else None,
        class_names=task.class_names,
        symptoms=tuple(of_inputs) if export.same_distribution else (),
        examples=export.examples,
        same_distribution=export.same_distribution,
        limits=entry.limits if entry is not None else None,
        least_agreement=_least_agreement(task),
        own_rounding_db=task.own_rounding_db,
        exact=task.exact,
        lost=in_words(task.name, task.reference.shape, lost) if lost else "",
    )
    checks = tuple(judge_output(evidence, limits))
    verdict = worst(each.verdict for each in checks)
    found: list[str] = []
    if verdict == "fail" or (export.failed and is_main):
        found = [] if export.same_distribution else of_inputs
        found += _symptoms(task, outputs, export, evidence, is_main=is_main)
    accuracy, labels = scores.accuracy, task.labels
    if scores.metric == "top-5" and labels is not None:
        accuracy = compare(outputs, task.reference, labels)
    return OutputResult(
        scores=scores,
        distance=evidence.distance,
        accuracy=accuracy,
        predicted=task.predicted(outputs),
        verdict=verdict,
        reasons=(*found, *reasons_of(checks)),
        checks=checks,
    )


def _least_agreement(task: Task) -> float | None:
    if task.exact:
        least = least_equal(task.reference)
        return least - sampling_error(least, len(task.reference))
    if task.metric != "accuracy" or not are_classes(task.reference.shape):
        return None
    least = least_agreement(task.reference)
    return least - sampling_error(least, len(task.reference))


def _verified(task: Task, manifest: Manifest | None) -> dict[str, float]:
    """Returns what was recorded of an output; of the model's first one under the plain names."""
    suffix = "" if task.is_first else f":{task.name}"
    return {
        name: value
        for name in VERIFIED
        if manifest and (value := manifest.recorded(f"{name}{suffix}")) is not None
    }


def _symptoms(
    task: Task, outputs: np.ndarray, export: ExportFacts, evidence: OutputEvidence, *, is_main: bool
) -> list[str]:
    found = value_symptoms(outputs, task.reference, export.examples)
    if not task.has_classes:
        return found
    if not task.exact:
        found = output_symptoms(
            task.class_scores(outputs),
            task.class_scores(task.reference),
            task.labels,
            task.class_names,
            export.examples,
        )
    agreement, verified = evidence.distance.agreement, evidence.verified.get("agreement", 1.0)
    if is_main and agreement is not None:
        tried = f"{export.scalars['experiment_examples']} {export.examples}"
        found += experiment_symptoms(export.scalars["experiments"], agreement, verified, tried)
    return found
