"""Which export comes closest to limits that none meets, and by how much it misses them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.judge.limits import OPTIONS, Limits
from benchmark.judge.rows import Result
from benchmark.judge.scoring.metrics import NOTATIONS
from benchmark.judge.scoring.scores import Accuracy
from benchmark.judge.statistics import ROUNDING, wilson_interval
from train.common.intervals import paired_drop_interval

# An excess is relative to its limit, or to this where the limit is smaller.
SMALLEST_SHARE = 0.001


@dataclass(frozen=True, kw_only=True)
class Excess:
    """A limit that an export does not meet.

    Attributes:
        option: of the command, with its value.
        share: by how much, over the limit.
        text: what the export has, and by how much that is too much or too little.
    """

    option: str
    share: float
    text: str


def unmet(results: Sequence[Result], limits: Limits) -> str | None:
    """Returns what to say where limits are set and no measured export meets all; else None.

    A limit on an accuracy or a latency is met when its whole 95 % interval meets it. The closest
    is the export that breaks the fewest limits, and of those the one that breaks them the least.
    """
    given = limits.given()
    exports = [row for row in results if row.variant.manifest is not None and row.latency]
    if not given or not exports:
        return None
    broken = [(list(_excesses(row, limits)), row) for row in exports]
    least, closest = min(
        broken, key=lambda found: (len(found[0]), sum(excess.share for excess in found[0]))
    )
    if not least:
        return None
    wanted = " and ".join(f"{OPTIONS[name]} {value:g}" for name, value in given.items())
    missed = "; ".join(
        f"{excess.text}{f' for {excess.option}' if len(given) > 1 else ''}" for excess in least
    )
    return (
        f"no export meets {wanted}: the closest is {closest.variant.name} with {missed}; loosen "
        "the limit, or export other formats; the results are kept"
    )


def _excesses(row: Result, limits: Limits) -> Iterator[Excess]:
    found, latency = row.accuracy, row.latency
    if limits.max_size_kb is not None and row.size_bytes is not None:
        size_kb = row.size_bytes / 1000
        unit = "{:,.1f} kB"
        yield from _above("--max-size-kb", size_kb, limits.max_size_kb, unit, unit)
    if limits.max_drop is not None and row.scores is not None:
        drop, notation = row.scores.drop, NOTATIONS[row.scores.metric]
        high = None if drop is None else drop.high
        what = f"{_article(notation.name)} drop of up to {{:.2f}} points (95 % interval)"
        if notation.error:
            what = f"{_article(notation.name)} up to {{:.2f}} % larger (95 % interval)"
        yield from _points("--max-drop", high, limits.max_drop, what, notation.unit)
    if limits.max_latency_us is not None and latency is not None and latency.p50 is not None:
        p50_us = latency.p50_ci95[1] or latency.p50
        what = "a median of up to {:,.1f} µs (95 % interval)"
        yield from _above("--max-latency-us", p50_us, limits.max_latency_us, what, "{:,.1f} µs")
    if limits.min_agreement is not None and found is not None:
        low, _ = wilson_interval(found.agreeing, found.overall.total)
        lacking = limits.min_agreement - low
        if lacking > ROUNDING:
            yield Excess(
                option=f"--min-agreement {limits.min_agreement:g}",
                share=lacking / max(limits.min_agreement, SMALLEST_SHARE),
                text=f"an agreement of down to {low:.2%} (95 % interval), {lacking * 100:.2f} "
                "points too little",
            )
    if limits.max_drop_per_class is not None and found is not None:
        what = "a drop of up to {:.2f} points in a class (95 % interval)"
        limit = limits.max_drop_per_class
        yield from _points("--max-drop-per-class", _worst_class(found), limit, what)


def _article(name: str) -> str:
    return f"a{'n' * (name[0] in 'aAMR')} {name}"  # by sound: an MAE, an R²


def _worst_class(found: Accuracy) -> float:
    intervals = (paired_drop_interval(p.lost, p.gained, p.total) for p in found.classes.values())
    return max(interval[1] for interval in intervals if interval)


def _above(option: str, value: float, limit: float, what: str, unit: str) -> Iterator[Excess]:
    if value - limit > ROUNDING:
        yield Excess(
            option=f"{option} {limit:g}",
            share=(value - limit) / max(limit, SMALLEST_SHARE),
            text=f"{what.format(value)}, {unit.format(value - limit)} too much",
        )


def _points(
    option: str, value: float | None, limit: float, what: str, unit: str = "points"
) -> Iterator[Excess]:
    if value is None:
        yield Excess(option=f"{option} {limit:g}", share=1.0, text="a drop that is undefined")
    elif value - limit > ROUNDING:
        yield Excess(
            option=f"{option} {limit:g}",
            share=(value - limit) / max(limit, SMALLEST_SHARE),
            text=f"{what.format(value * 100)}, {(value - limit) * 100:.2f} {unit} too much",
        )
