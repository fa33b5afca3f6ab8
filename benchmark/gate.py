"""The verdict: does an export keep what it must keep?

A limit on an accuracy is judged by a 95 % interval: kept when the whole interval keeps it, broken
when the whole interval breaks it, and otherwise open: the images at hand cannot tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from benchmark.accuracy import Accuracy
from benchmark.statistics import (
    CONFIDENCE,
    ROUNDING,
    Side,
    drop_side,
    paired_drop_interval,
    share_side,
    wilson_interval,
)
from export.compare import Distance

Verdict = Literal["pass", "fail", "inconclusive", "error"]
# How much worse an export may do on the test images than when it was verified: the share of
# other predictions by half and half a point, the signal-to-noise ratio by 3 dB. Honest exports
# stay well within; another model's weights or another preprocessing don't.
RECORDED_FLIPS_FACTOR = 1.5
RECORDED_FLIPS_SLACK = 0.005
RECORDED_SNR_SLACK_DB = 3.0
MIN_SNR_DB = 15.0


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The limits; None for those that are not set.

    Attributes:
        baseline: accuracy to compare with, 0…1.
        tolerance: accuracy that may be lost against the baseline and the Keras model, 0…1.
        max_drop: accuracy that may be lost against the Keras model, in place of the tolerance.
        max_drop_per_class: accuracy that may be lost in any class, 0…1.
        min_agreement: least share of images with the Keras model's prediction, 0…1.
        max_latency_us: largest median of a single inference, in microseconds.
        max_size_kb: largest file, in units of 1000 bytes.
        min_snr_db: least signal-to-noise ratio against the Keras model's outputs, in decibels,
            for data without labels.
    """

    baseline: float
    tolerance: float
    max_drop: float | None = None
    max_drop_per_class: float | None = None
    min_agreement: float | None = None
    max_latency_us: float | None = None
    max_size_kb: float | None = None
    min_snr_db: float = MIN_SNR_DB


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a verdict is founded on.

    Attributes:
        accuracy: against labels and Keras model; None for data without labels.
        distance: of the outputs from the Keras model's.
        verified: `agreement` (0…1) and `snr_db` when the file was verified, where recorded.
        size_bytes: of the file.
        p50_us: the median latency and its 95 % interval; None where it was not measured.
        class_names: the names of the classes.
        symptoms: what looks wrong in inputs or outputs.
    """

    accuracy: Accuracy | None
    distance: Distance
    verified: dict[str, float]
    size_bytes: int
    p50_us: tuple[float, float | None, float | None] | None
    class_names: tuple[str, ...]
    symptoms: tuple[str, ...] = ()


Reason = tuple[Verdict, str]


def judge(evidence: Evidence, gate: Gate) -> tuple[Verdict, tuple[str, ...]]:
    """Returns the verdict on an export and, unless it passes, every reason."""
    reasons = [
        *_finite(evidence.distance),
        *(("fail", symptom) for symptom in evidence.symptoms),
        *_labelled(evidence, gate),
        *_as_verified(evidence),
        *_latency(evidence, gate),
        *_size(evidence, gate),
    ]
    verdict: Verdict = "pass"
    if reasons:
        verdict = "fail" if any(kind == "fail" for kind, _ in reasons) else "inconclusive"
    return verdict, tuple(reason for _, reason in reasons)


def _finite(distance: Distance) -> Iterator[Reason]:
    if distance.finite < 1:
        yield "fail", f"outputs hold NaN or infinity: {1 - distance.finite:.1%} of all values"


def _labelled(evidence: Evidence, gate: Gate) -> Iterator[Reason]:
    found = evidence.accuracy
    if found is None:
        snr_db = evidence.distance.snr_db
        if snr_db < gate.min_snr_db:
            yield (
                "fail",
                f"signal-to-noise ratio against the Keras model's outputs is {snr_db:.1f} dB, "
                f"below {gate.min_snr_db:g} dB (judged by outputs: the data has no labels)",
            )
        return
    overall, points = found.overall, 100
    floor = gate.baseline - gate.tolerance
    low, high = wilson_interval(overall.correct, overall.total)
    yield from _sided(
        share_side(overall.correct, overall.total, floor),
        f"accuracy {overall.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})",
        f"{floor:.2%} (baseline {gate.baseline:.2%} less tolerance {gate.tolerance:.2%})",
        beyond="is below",
    )
    low, high = paired_drop_interval(overall.lost, overall.gained, overall.total) or (-1, 1)
    most = gate.tolerance if gate.max_drop is None else gate.max_drop
    yield from _sided(
        drop_side(overall.lost, overall.gained, overall.total, most),
        f"accuracy drops by {overall.drop * points:.2f} points (95 % interval "
        f"{low * points:.2f} to {high * points:.2f}) against the Keras model",
        f"{most * points:.2f}" + (" (--max-drop)" if gate.max_drop is not None else ""),
        beyond="more than",
    )
    if gate.max_drop_per_class is not None:
        yield from _worst_classes(found, gate.max_drop_per_class, evidence.class_names)
    if gate.min_agreement is not None:
        low, high = wilson_interval(found.agreeing, overall.total)
        yield from _sided(
            share_side(found.agreeing, overall.total, gate.min_agreement),
            f"agreement with the Keras model {found.agreement:.2%} "
            f"(95 % interval {low:.2%} to {high:.2%})",
            f"{gate.min_agreement:.2%}",
            beyond="is below",
        )


def _worst_classes(found: Accuracy, limit: float, names: tuple[str, ...]) -> Iterator[Reason]:
    """Every class must keep the limit; that one breaks it is said with Bonferroni's correction."""
    corrected = 1 - (1 - CONFIDENCE) / len(found.classes)
    for label, paired in found.classes.items():
        counts = paired.lost, paired.gained, paired.total
        side = drop_side(*counts, limit)
        if side.beyond and not drop_side(*counts, limit, corrected).beyond:
            side = Side(within=False, beyond=False)
        low, high = paired_drop_interval(*counts) or (-1, 1)
        name = names[label] if label < len(names) else str(label)
        yield from _sided(
            side,
            f"class {name}: accuracy drops by {paired.drop * 100:.2f} points (95 % interval "
            f"{low * 100:.2f} to {high * 100:.2f})",
            f"{limit * 100:.2f}",
            beyond="more than",
        )


def _sided(side: Side, what: str, limit: str, *, beyond: str) -> Iterator[Reason]:
    if side.beyond:
        yield "fail", f"{what}, {beyond} {limit}".replace(", is", " is")
    elif not side.within:
        more = "no number of images would decide it"
        if side.images is not None:
            more = f"about {side.images:,} images would decide it"
        yield "inconclusive", f"{what}, limit {limit}: {more}"


def _as_verified(evidence: Evidence) -> Iterator[Reason]:
    """The outputs must be about as near to the Keras model's as when the file was verified."""
    now, then = evidence.distance, evidence.verified
    if "agreement" in then:
        flips = (1 - then["agreement"]) * RECORDED_FLIPS_FACTOR + RECORDED_FLIPS_SLACK
        if 1 - now.agreement > flips + ROUNDING:
            yield (
                "fail",
                f"agrees with the Keras model on {now.agreement:.2%} of the images, on "
                f"{then['agreement']:.2%} when it was verified: other weights, labels, "
                "preprocessing or input quantization than then",
            )
    if "snr_db" in then and now.snr_db < then["snr_db"] - RECORDED_SNR_SLACK_DB:
        yield (
            "fail",
            f"outputs differ from the Keras model's by {now.snr_db:.1f} dB of signal to noise, by "
            f"{then['snr_db']:.1f} dB when it was verified: other weights, preprocessing or input "
            "quantization than then",
        )


def _latency(evidence: Evidence, gate: Gate) -> Iterator[Reason]:
    limit = gate.max_latency_us
    if limit is None or evidence.p50_us is None:
        return
    p50, low, high = evidence.p50_us
    if low is not None and low > limit:
        yield "fail", f"median latency {p50:.1f} µs is above {limit:g} µs"
    elif high is None or high > limit:
        yield (
            "inconclusive",
            f"median latency {p50:.1f} µs, limit {limit:g} µs: the timed calls cannot tell; "
            "give more --samples",
        )


def _size(evidence: Evidence, gate: Gate) -> Iterator[Reason]:
    if gate.max_size_kb is not None and evidence.size_bytes > gate.max_size_kb * 1000:
        yield (
            "fail",
            f"file of {evidence.size_bytes / 1000:,.1f} kB is above {gate.max_size_kb:g} kB",
        )
