"""What speaks against an export, by the targets or by the Keras model's outputs, and the verdict.

A limit on an accuracy, or on another metric, is judged by a 95 % interval: kept when the whole
interval keeps it, broken when the whole interval breaks it, and otherwise open: the examples at
hand cannot tell.
"""

from collections.abc import Iterator

from benchmark.judge.drop import Side, drop_side, share_side
from benchmark.judge.evidence import Check, OutputEvidence, Reason, check
from benchmark.judge.limits import Limits
from benchmark.judge.scoring.metrics import NOTATIONS
from benchmark.judge.scoring.scores import Accuracy
from benchmark.judge.statistics import wilson_interval
from benchmark.judge.verified import as_verified, more_than_chance
from export.verify.channels import LOST_REMEDY
from train.common.intervals import CONFIDENCE, paired_drop_interval

# The ratio of what varies from example to example may be so much less than that of the whole: it
# falls to 0 dB for a constant answer, however near that is.
CENTRED_SLACK_DB = 6.0
MIN_EQUAL_SHARE = 0.8  # of indices or classes, without labels


P50 = tuple[float, float | None, float | None]


def judge_file(size_bytes: int | None, p50_us: P50 | None, limits: Limits) -> Iterator[Check]:
    """Yields what a file is judged by, whatever its outputs.

    Args:
        size_bytes: of the file; None if it has none.
        p50_us: the median latency and its 95 % interval; None where it was not measured.
        limits: those to keep.
    """
    if limits.max_latency_us is not None and p50_us is not None:
        yield check("latency", _latency(p50_us, limits.max_latency_us))
    if limits.max_size_kb is not None:
        yield check("size", _size((size_bytes or 0) / 1000, limits.max_size_kb))


def _latency(p50_us: P50, limit: float) -> Iterator[Reason]:
    p50, low, high = p50_us
    if low is not None and low > limit:
        yield "fail", f"median latency {p50:.1f} µs is above {limit:g} µs"
    elif high is None or high > limit:
        yield (
            "inconclusive",
            f"median latency {p50:.1f} µs, limit {limit:g} µs: the timed calls cannot tell; "
            "give more --samples",
        )


def _size(size_kb: float, limit: float) -> Iterator[Reason]:
    if size_kb > limit:
        yield "fail", f"file of {size_kb:,.1f} kB is above {limit:g} kB"


def judge_output(found: OutputEvidence, limits: Limits) -> Iterator[Check]:
    """Yields what an output is judged by."""
    yield check("finite", _finite(found))
    yield check("inputs", (("fail", symptom) for symptom in found.symptoms))
    by_outputs = found.scores.kind == "outputs"
    against = list((_by_outputs if by_outputs else _by_targets)(found, limits))
    yield from against
    since = check("as_verified", as_verified(found, limits))
    if found.limits is not None or found.verified:
        yield since
    failed = by_outputs and any(each.reasons for each in against)
    if not since.reasons and not failed:  # they speak of the same ratio
        yield check("beyond_chance", more_than_chance(found))
    yield check("channels", [("fail", f"{found.lost}; {LOST_REMEDY}")] if found.lost else ())


def _finite(found: OutputEvidence) -> Iterator[Reason]:
    if found.distance.finite < 1:
        share = 1 - found.distance.finite
        yield "fail", f"outputs hold NaN or infinity: {share:.1%} of all values"


def _by_outputs(found: OutputEvidence, limits: Limits) -> Iterator[Check]:
    if found.exact:
        yield check("equal_values", _equal_values(found, limits))
    else:
        yield check("snr", _against_outputs(found, limits))


def _by_targets(found: OutputEvidence, limits: Limits) -> Iterator[Check]:
    accuracy = found.scores.accuracy
    if found.baseline is not None and accuracy is not None:
        yield check("accuracy", _accuracy(accuracy, found, found.baseline, limits.tolerance))
    yield check("drop", _drop(found, limits))
    if accuracy is not None and limits.max_drop_per_class is not None:
        yield check("drop_per_class", _worst_classes(accuracy, limits.max_drop_per_class, found))
    if accuracy is not None and limits.min_agreement is not None:
        yield check("agreement", _agreement(accuracy, found, limits.min_agreement))


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
    elif not found.distance.is_constant and centred_snr_db < least - CENTRED_SLACK_DB:
        yield (
            "fail",
            "centred signal-to-noise ratio, of what varies from example to example, is "
            f"{centred_snr_db:.1f} dB, below {least - CENTRED_SLACK_DB:g} dB, "
            f"{CENTRED_SLACK_DB:g} less than --min-snr-db {how}",
        )


def _equal_values(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    """Indices and classes are the Keras model's or another: no noise tells how near they are."""
    least = MIN_EQUAL_SHARE if limits.min_agreement is None else limits.min_agreement
    share = found.distance.agreement
    if share is not None and share < least:
        yield (
            "fail",
            f"{share:.2%} of the values are those of the Keras model, expected {least:.2%} or more "
            "(judged by outputs: the data has no labels)",
        )


def _accuracy(
    accuracy: Accuracy, found: OutputEvidence, baseline: float, tolerance: float
) -> Iterator[Reason]:
    least, overall = baseline - tolerance, accuracy.overall
    low, high = wilson_interval(overall.correct, overall.total)
    yield from _sided(
        share_side(overall.correct, overall.total, least),
        f"accuracy {overall.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})",
        f"{least:.2%} (baseline {baseline:.2%} less tolerance {tolerance:.2%})",
        found.examples,
        beyond="is below",
    )


def _agreement(accuracy: Accuracy, found: OutputEvidence, least: float) -> Iterator[Reason]:
    total = accuracy.overall.total
    low, high = wilson_interval(accuracy.agreeing, total)
    yield from _sided(
        share_side(accuracy.agreeing, total, least),
        f"agreement with the Keras model {accuracy.agreement:.2%} "
        f"(95 % interval {low:.2%} to {high:.2%})",
        f"{least:.2%}",
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
    what = f"{notation.name} {_moved(drop.value, unit, how)} against the Keras model"
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
        counted = metric if metric == NOTATIONS["top-5"].name else "accuracy"
        how = f"95 % interval {low * 100:.2f} to {high * 100:.2f}"
        yield from _sided(
            side,
            f"class {name}: {counted} {_moved(paired.drop, 'points', how)}",
            f"{limit * 100:.2f}",
            found.examples,
            beyond="more than",
        )


def _moved(drop: float, unit: str, how: str) -> str:
    if drop < 0:
        return f"rises by {-drop * 100:.2f} {unit} (of the drop: {how})"
    return f"drops by {drop * 100:.2f} {unit} ({how})"


def _sided(side: Side, what: str, limit: str, examples: str, *, beyond: str) -> Iterator[Reason]:
    if side.beyond:
        yield "fail", f"{what}, {beyond} {limit}".replace(", is", " is")
    elif not side.within:
        more = f"no number of {examples} would decide it"
        if side.examples is not None:
            more = f"about {side.examples:,} {examples} would decide it"
        yield "inconclusive", f"{what}, limit {limit}: {more}"
