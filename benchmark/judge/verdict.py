"""What speaks against an export, by the targets or by the Keras model's outputs, and the verdict.

A limit on an accuracy, or on another metric, is judged by a 95 % interval: kept when the whole
interval keeps it, broken when the whole interval breaks it, and otherwise open: the examples at
hand cannot tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmark.judge.drop import Side, drop_side, share_side
from benchmark.judge.limits import Limits
from benchmark.judge.metrics import NOTATIONS
from benchmark.judge.scoring.scores import Accuracy, Scores
from benchmark.judge.statistics import (
    CONFIDENCE,
    ROUNDING,
    paired_drop_interval,
    wilson_interval,
)
from export.verify.distance import MAX_SNR_DB, Distance

Verdict = Literal["pass", "fail", "inconclusive", "error"]
Reason = tuple[Verdict, str]
# How much worse an export may do on the test data than when it was verified: the share of other
# predictions by half and half a point, the signal-to-noise ratio by 3 dB. Honest exports stay well
# within; another model's weights or another preprocessing don't.
RECORDED_FLIPS_FACTOR = 1.5
RECORDED_FLIPS_SLACK = 0.005
RECORDED_SNR_SLACK_DB = 3.0
# Test data that is not drawn as the data was that verified an export may hold an example whose
# outputs lie beyond all that calibrated it. So a ratio has to be much less than then, and small.
OTHER_DATA_SNR_SLACK_DB = 10.0
# Outputs nearer than this differ by the rounding of float32, which is another on other data.
ROUNDING_SNR_DB = 100.0
# The ratio of what varies from example to example may be so much less than that of the whole: it
# falls to 0 dB for a constant answer, however near that is.
CENTRED_SLACK_DB = 6.0


@dataclass(frozen=True, kw_only=True)
class OutputEvidence:
    """What the verdict on an output rests on.

    Attributes:
        scores: by targets beside the Keras model; without targets, against its outputs.
        distance: from the Keras model's outputs.
        verified: `agreement` (0…1) and `snr_db` when the file was verified, where recorded.
        baseline: accuracy to compare with, 0…1; None not to.
        class_names: the names of the classes.
        symptoms: what looks wrong in inputs or outputs, each enough to fail.
        examples: what the test data is made of, `images` or `examples`.
        same_distribution: as of the test data's `Evaluation`.
    """

    scores: Scores
    distance: Distance
    verified: Mapping[str, float] = field(default_factory=dict)
    baseline: float | None = None
    class_names: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    examples: str = "images"
    same_distribution: bool = True


def verdict_of(reasons: list[Reason]) -> Verdict:
    """Returns `pass` for no reasons, `fail` for one that is enough to fail."""
    if not reasons:
        return "pass"
    return "fail" if any(kind == "fail" for kind, _ in reasons) else "inconclusive"


def judge_file(
    size_bytes: int | None, p50_us: tuple[float, float | None, float | None] | None, limits: Limits
) -> Iterator[Reason]:
    """Yields what speaks against a file, whatever its outputs.

    Args:
        size_bytes: of the file; None if it has none.
        p50_us: the median latency and its 95 % interval; None where it was not measured.
        limits: those to keep.
    """
    limit = limits.max_latency_us
    if limit is not None and p50_us is not None:
        p50, low, high = p50_us
        if low is not None and low > limit:
            yield "fail", f"median latency {p50:.1f} µs is above {limit:g} µs"
        elif high is None or high > limit:
            yield (
                "inconclusive",
                f"median latency {p50:.1f} µs, limit {limit:g} µs: the timed calls cannot tell; "
                "give more --samples",
            )
    size_kb = (size_bytes or 0) / 1000
    if limits.max_size_kb is not None and size_kb > limits.max_size_kb:
        yield "fail", f"file of {size_kb:,.1f} kB is above {limits.max_size_kb:g} kB"


def judge_output(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    """Yields what speaks against an output."""
    if found.distance.finite < 1:
        share = 1 - found.distance.finite
        yield "fail", f"outputs hold NaN or infinity: {share:.1%} of all values"
    for symptom in found.symptoms:
        yield "fail", symptom
    if found.scores.kind == "outputs":
        yield from _against_outputs(found, limits)
    else:
        yield from _against_targets(found, limits)
    yield from _as_verified(found, limits)


def _against_outputs(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    """The Keras model's outputs stand for the truth; neither they nor what varies may be noisy."""
    snr_db, centred_snr_db = found.distance.snr_db, found.distance.centred_snr_db
    how = "(judged by outputs: the data has no labels)"
    least = limits.min_snr_db
    if snr_db < least:
        yield (
            "fail",
            f"signal-to-noise ratio against the Keras model's outputs is {snr_db:.1f} dB, "
            f"below {least:g} dB {how}",
        )
    elif -MAX_SNR_DB < centred_snr_db < least - CENTRED_SLACK_DB:  # none where nothing varies
        yield (
            "fail",
            "centred signal-to-noise ratio, of what varies from example to example, is "
            f"{centred_snr_db:.1f} dB, below {least - CENTRED_SLACK_DB:g} dB, "
            f"{CENTRED_SLACK_DB:g} less than --min-snr-db {how}",
        )


def _against_targets(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    accuracy = found.scores.accuracy
    if found.baseline is not None and accuracy is not None:
        least = found.baseline - limits.tolerance
        overall = accuracy.overall
        low, high = wilson_interval(overall.correct, overall.total)
        yield from _sided(
            share_side(overall.correct, overall.total, least),
            f"accuracy {overall.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})",
            f"{least:.2%} (baseline {found.baseline:.2%} less tolerance {limits.tolerance:.2%})",
            found.examples,
            beyond="is below",
        )
    yield from _drop(found, limits)
    if accuracy is None:
        return
    if limits.max_drop_per_class is not None:
        yield from _worst_classes(accuracy, limits.max_drop_per_class, found)
    if limits.min_agreement is not None:
        total = accuracy.overall.total
        low, high = wilson_interval(accuracy.agreeing, total)
        yield from _sided(
            share_side(accuracy.agreeing, total, limits.min_agreement),
            f"agreement with the Keras model {accuracy.agreement:.2%} "
            f"(95 % interval {low:.2%} to {high:.2%})",
            f"{limits.min_agreement:.2%}",
            found.examples,
            beyond="is below",
        )


def _drop(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    scores, most = found.scores, limits.allowed_drop
    notation, drop = NOTATIONS[scores.metric], scores.drop
    if drop is None:
        yield "inconclusive", scores.undefined or f"{notation.name} is undefined"
        return
    value, unit = drop.value * 100, "%" if notation.error else "points"
    ends = drop.interval
    how = "no interval: too few examples"
    if ends is not None:
        how = f"95 % interval {ends[0] * 100:.2f} to {ends[1] * 100:.2f}"
    what = f"{notation.name} drops by {value:.2f} {unit} ({how}) against the Keras model"
    if notation.error:
        what = f"{notation.name} is {value:.2f} % larger ({how}) than the Keras model's"
    limit = f"{most * 100:.2f}" + " %" * notation.error
    limit += " (--max-drop)" if limits.max_drop is not None else ""
    if ends is None:
        yield "inconclusive", f"{what}, limit {limit}: give more {found.examples}"
        return
    yield from _sided(drop.side(most), what, limit, found.examples, beyond="more than")


def _worst_classes(accuracy: Accuracy, limit: float, found: OutputEvidence) -> Iterator[Reason]:
    """Every class must keep the limit; that one breaks it is said with Bonferroni's correction."""
    corrected = 1 - (1 - CONFIDENCE) / len(accuracy.classes)
    names, metric = found.class_names, NOTATIONS[found.scores.metric].name
    for label, paired in accuracy.classes.items():
        counts = paired.lost, paired.gained, paired.total
        side = drop_side(*counts, limit)
        if side.beyond and not drop_side(*counts, limit, corrected).beyond:
            side = Side(within=False, beyond=False)
        low, high = paired_drop_interval(*counts) or (-1, 1)
        name = names[label] if label < len(names) else str(label)
        yield from _sided(
            side,
            f"class {name}: {metric if metric == NOTATIONS['top-5'].name else 'accuracy'} drops by "
            f"{paired.drop * 100:.2f} points (95 % interval {low * 100:.2f} to {high * 100:.2f})",
            f"{limit * 100:.2f}",
            found.examples,
            beyond="more than",
        )


def _sided(side: Side, what: str, limit: str, examples: str, *, beyond: str) -> Iterator[Reason]:
    if side.beyond:
        yield "fail", f"{what}, {beyond} {limit}".replace(", is", " is")
    elif not side.within:
        more = f"no number of {examples} would decide it"
        if side.examples is not None:
            more = f"about {side.examples:,} {examples} would decide it"
        yield "inconclusive", f"{what}, limit {limit}: {more}"


def _as_verified(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    """The outputs must be about as near to the Keras model's as when the file was verified."""
    now, then = found.distance, found.verified
    if "agreement" in then and now.agreement is not None and found.same_distribution:
        flips = (1 - then["agreement"]) * RECORDED_FLIPS_FACTOR + RECORDED_FLIPS_SLACK
        if 1 - now.agreement > flips + ROUNDING:
            yield (
                "fail",
                f"agrees with the Keras model on {now.agreement:.2%} of the {found.examples}, on "
                f"{then['agreement']:.2%} when it was verified: other weights, labels, "
                "preprocessing or input quantization than then",
            )
    if "snr_db" not in then:
        return
    least = min(then["snr_db"], ROUNDING_SNR_DB) - RECORDED_SNR_SLACK_DB
    if not found.same_distribution:
        least = min(then["snr_db"] - OTHER_DATA_SNR_SLACK_DB, limits.min_snr_db)
    if now.snr_db < least:
        yield (
            "fail",
            f"outputs differ from the Keras model's by {now.snr_db:.1f} dB of signal to noise, by "
            f"{then['snr_db']:.1f} dB when it was verified: other weights, preprocessing or input "
            "quantization than then",
        )
