"""Raw results → statistics → verdicts: what a row of the table knows. Light."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.accuracy import Accuracy, compare
from benchmark.gate import Evidence, Gate, Verdict, judge
from benchmark.latency import Latency, Round, WarmUp, enough_quiet, summarize
from benchmark.measure import MAX_QUIET, Measured
from benchmark.partial import PartialResults
from benchmark.subjects import Subject
from benchmark.symptoms import experiment_symptoms, input_symptoms, output_symptoms
from export.compare import Distance, distance
from train.record import ReferenceOutputs

VERIFIED = ("agreement", "snr_db")
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
        subject: what was measured.
        size_bytes, gzip_bytes: of the file.
        accuracy: against labels and Keras model; None without labels.
        distance: of its outputs from the Keras model's.
        latency: of single calls.
        scalars: what loading took and what else the worker said, by name.
        throughput: images a second, in batches or one by one; or why it could not be had.
        profile: the time of each operator; or why it could not be had.
        kernels: which operators run, and which outside a delegate; or why that is not known.
        predicted: (N,) the predicted class of each image.
        rounds_ns: the raw samples, a list for each round.
        rounds_quiet: whether the machine ran at its full speed in each round.
        first_round: the number of its first round; rows that took turns have the same.
        verdict, reasons: the judgement.
        explanations: what is slower or larger than expected, and why, a sentence each.
    """

    subject: Subject
    size_bytes: int | None = None
    gzip_bytes: int | None = None
    accuracy: Accuracy | None = None
    distance: Distance | None = None
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
    explanations: tuple[str, ...] = ()

    def as_json(self, gate: Gate) -> dict[str, Any]:
        """Returns the row as a JSON object, raw samples last."""
        found, scalars = self.accuracy, self.scalars or {}
        return {
            "name": self.subject.name,
            "format": self.subject.format,
            "runtime": self.subject.runtime,
            "mode": self.subject.mode,
            "threads": self.subject.threads,
            "size_bytes": self.size_bytes,
            "gzip_bytes": self.gzip_bytes,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "explanations": list(self.explanations),
            **(found.as_json() if found else dict.fromkeys(ACCURACY)),
            "delta_vs_baseline": found and found.overall.accuracy - gate.baseline,
            "distance": None if self.distance is None else asdict(self.distance),
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
    subjects: list[Subject],
    raw: PartialResults,
    measured: Measured,
    reference: ReferenceOutputs,
    labels: np.ndarray | None,
    gate: Gate,
) -> list[Result]:
    """Derives every row's statistics and verdict from the raw results.

    Args:
        subjects: the rows, in the order of the table.
        raw: what the workers gave.
        measured: what else happened.
        reference: the Keras model's outputs.
        labels: (N,) integer classes; None for data without labels.
        gate: the limits.
    """
    rounds = raw.rounds(
        range(max((numbers.stop for numbers in measured.rounds.values()), default=0))
    )
    results = []
    timed = {
        subject.key: _rounds_of(subject.key, rounds, measured)
        for subject in subjects
        if subject.key not in measured.problems
    }
    quiet_only = all(map(enough_quiet, timed.values()))
    for subject in subjects:
        manifest = subject.manifest
        size_bytes = manifest.size_bytes if manifest else _size(subject)
        gzip_bytes = manifest.gzip_bytes if manifest else None
        problem, scalars = measured.problems.get(subject.key), raw.row(subject.key)
        if problem is not None or scalars is None:
            results.append(
                Result(
                    subject=subject,
                    size_bytes=size_bytes,
                    gzip_bytes=gzip_bytes,
                    verdict="error",
                    reasons=(problem or "it was not measured",),
                )
            )
            continue
        outputs = raw.outputs(subject.key)[main_output]
        scalars |= _medians(subject.key, rounds, measured)
        own = timed[subject.key]
        latency = summarize(
            own,
            timer_ns=scalars["timer_ns"],
            reference=timed.get(measured.reference.get(subject.key, "")),
            quiet_only=quiet_only,
        )
        evidence = _evidence(subject, outputs, reference, labels, latency, scalars)
        verdict, reasons = judge(evidence, gate)
        if verdict == "fail":
            reasons = (*_symptoms(outputs, reference, labels, scalars, evidence), *reasons)
        results.append(
            Result(
                subject=subject,
                size_bytes=size_bytes,
                gzip_bytes=gzip_bytes,
                accuracy=evidence.accuracy,
                distance=evidence.distance,
                latency=latency,
                scalars=scalars,
                throughput=raw.answer(subject.key, "throughput"),
                profile=raw.answer(subject.key, "profile"),
                kernels=raw.answer(subject.key, "kernels"),
                predicted=outputs.argmax(axis=1).astype(np.int32),
                rounds_ns=tuple(found.durations_ns for found in own),
                rounds_quiet=tuple(found.quiet for found in own),
                first_round=measured.rounds[subject.key].start,
                verdict=verdict,
                reasons=reasons,
            )
        )
    return results


def _size(subject: Subject) -> int | None:
    return None if subject.problem else subject.path.stat().st_size


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


def _evidence(
    subject: Subject,
    outputs: np.ndarray,
    reference: ReferenceOutputs,
    labels: np.ndarray | None,
    latency: Latency,
    scalars: dict[str, Any],
) -> Evidence:
    manifest = subject.manifest
    verified = {
        name: value
        for name in VERIFIED
        if manifest and (value := manifest.recorded(name)) is not None
    }
    # without labels, the Keras model's predictions stand in for them
    classes = reference.outputs.argmax(axis=1) if labels is None else labels
    return Evidence(
        accuracy=None if labels is None else compare(outputs, reference.outputs, labels),
        distance=distance(outputs, reference.outputs, classes),
        verified=verified,
        size_bytes=manifest.size_bytes if manifest else subject.path.stat().st_size,
        p50_us=None if latency.p50 is None else (latency.p50, *latency.p50_ci95),
        class_names=reference.labels,
        symptoms=tuple(input_symptoms(scalars["clipped_share"], scalars["input_range_use"])),
    )


def _symptoms(
    outputs: np.ndarray,
    reference: ReferenceOutputs,
    labels: np.ndarray | None,
    scalars: dict[str, Any],
    evidence: Evidence,
) -> list[str]:
    unchanged, verified = evidence.distance.agreement, evidence.verified.get("agreement", 1.0)
    return [
        *output_symptoms(outputs, reference.outputs, labels, reference.labels),
        *experiment_symptoms(scalars["experiments"], unchanged, verified),
    ]
