"""The picture of all rows: their metric against latency, size as area. Coordinates only."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmark.judge.scoring.metrics import Measure
from benchmark.report.figures import interval, number
from benchmark.report.page.charts.axes import Axis, linear_axis, log_axis
from benchmark.report.page.charts.labels import Box, Disc, Label, place_labels
from benchmark.report.text import RUNTIMES, pareto_names, quality, short
from benchmark.results.row import Interval, Row
from benchmark.results.run import Run

WIDTH, HEIGHT = 960, 560
FRAME = Box(left=64, top=16, right=944, bottom=470)
MAX_RADIUS, MIN_RADIUS = 22.0, 3.0
# An export that is far worse than the best lies on the lower edge, lest it squeeze the others: by
# so much of an accuracy, an AUC or R², of an error by so many times the best.
MAX_DEPTH = 0.10
MAX_ERROR_DEPTH = 0.5
LEAST_SPAN = 0.005


@dataclass(frozen=True, kw_only=True)
class Bubble(Disc):
    """A row of the plot.

    Attributes:
        name, title: what it is called, and its figures in words.
        runtime, verdict: which colour and outline it has.
        x_bar, y_bar: the ends of its error bars; None where there is no interval.
        pareto: whether it is on the Pareto front.
        label: where its name stands; None where there is no room.
    """

    name: str
    title: str
    runtime: str
    verdict: str
    x_bar: tuple[float, float] | None
    y_bar: tuple[float, float] | None
    pareto: bool
    label: Label | None


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The whole picture; `lines` are horizontal ones, where they lie and what they say."""

    frame: Box
    x: Axis
    y: Axis
    y_title: str
    bubbles: list[Bubble]
    front: str
    lines: list[tuple[float, str, str]]
    sizes: list[tuple[float, str]]
    runtimes: list[tuple[str, str]]
    unlabelled: int


def accuracy_plot(run: Run) -> Plot | None:
    """Returns the picture; None if no row was measured."""
    measure, pareto = run.measure, pareto_names(run)
    rows = [
        row
        for row in run.results
        if row.p50_us is not None and not math.isnan(quality(row, measure))
    ]
    if not rows:
        return None
    x = log_axis([row.p50_us or 0 for row in rows], FRAME.left, FRAME.right)
    y = _quality_axis(rows, measure)
    largest = max([1, *(row.size_bytes or 0 for row in rows)])

    # those on the front get their labels first, and are drawn last, on top
    rows.sort(key=lambda row: (row.name not in pareto, -(row.size_bytes or 0)))
    discs = [
        Disc(
            x=x.at(row.p50_us or 0),
            y=y.at(quality(row, measure) * measure.notation.scale),
            radius=_radius(row.size_bytes or 0, largest),
            text=_text(row, y, measure),
        )
        for row in rows
    ]
    lines = _lines(run, y) if measure.labelled else []
    taken = [
        Box(left=FRAME.right - 6.3 * len(text), top=at - 15, right=FRAME.right, bottom=at)
        for at, text, _ in lines
    ]
    labels = place_labels(discs, FRAME, taken)
    bubbles = [
        Bubble(
            name=row.name,
            title=_title(row, measure),
            runtime=row.runtime or "",
            verdict=row.verdict,
            **asdict(disc),
            x_bar=_bar(x, row.latency_us.p50_ci95 if row.latency_us else None, 1),
            y_bar=_bar(y, _interval(row, measure), 100),
            pareto=row.name in pareto,
            label=label,
        )
        for row, disc, label in zip(rows, discs, labels, strict=True)
    ]
    return Plot(
        frame=FRAME,
        x=x,
        y=y,
        y_title=_y_title(measure),
        bubbles=bubbles[::-1],
        front=_staircase([bubble for bubble in bubbles if bubble.pareto]),
        lines=lines,
        sizes=_size_legend(largest),
        runtimes=[
            (key, name) for key, name in RUNTIMES.items() if any(b.runtime == key for b in bubbles)
        ],
        unlabelled=sum(label is None for label in labels),
    )


def _y_title(measure: Measure) -> str:
    if measure.agrees:
        return f"agreement with the Keras model, % of the {measure.examples}"
    if measure.notation.percent:
        return f"{measure.notation.title} of the test {measure.examples}"
    by = f"over the test {measure.examples}" if measure.labelled else "of the Keras model's outputs"
    return f"{measure.notation.title} {by}" + " · up is less" * measure.notation.error


def _interval(row: Row, measure: Measure) -> Interval | None:
    """Returns the interval of what the chart shows, where that is an accuracy."""
    shown = measure.labelled and measure.metric == "accuracy"
    return row.accuracy_ci95 if shown else None


def _quality_axis(rows: list[Row], measure: Measure) -> Axis:
    values, scale = [quality(row, measure) for row in rows], measure.notation.scale
    least, low, high = LEAST_SPAN, max(values) - MAX_DEPTH, max(values)
    bottom, top = FRAME.bottom, FRAME.top
    if measure.notation.error:  # less is better, and better is up
        low, high = min(values), min(values) * (1 + MAX_ERROR_DEPTH)
        least, bottom, top = LEAST_SPAN * (low or 1), top, bottom
    shown = [row for row in rows if low <= quality(row, measure) <= high]
    ends = [end for r in shown for end in _interval(r, measure) or [quality(r, measure)]]
    margin = max(max(ends) - min(ends), least) * 0.08
    low, high = (min(ends) - margin) * scale, (max(ends) + margin) * scale
    return linear_axis(low, high, bottom, top, least * scale)


def _text(row: Row, y: Axis, measure: Measure) -> str:
    found = quality(row, measure)
    shown = found * measure.notation.scale
    if y.low <= shown <= y.high:
        return short(row.name)
    figure = f"{found:.1%}" if measure.notation.percent else measure.notation.figure(found)
    return f"{short(row.name)} ↓ {figure}"


def _title(row: Row, measure: Measure) -> str:
    """The figures of a row in words, for whoever points at it."""
    notation = measure.notation
    value = None if measure.agrees else row.value
    figures = [f"{notation.name} {notation.figure(value)}" + " %" * notation.percent]
    if ends := _interval(row, measure):
        figures[0] += f" ({interval(ends, 2, 100)})"
    near = f"centred SNR {number(row.centred_snr_db, 1)} dB"
    if measure.near_by_share:
        near = f"agreement {number(row.agreement, 2, 100)} %"
    return "\n".join(
        (
            f"{row.name}: {row.verdict}",
            *figures,
            near,
            f"median {number(row.p50_us, 2)} µs, p99 {number(row.p99_us, 2)} µs",
            f"{number(row.size_bytes, 1, 1e-3)} kB",
        )
    )


def _bar(
    axis: Axis, ends: Sequence[float | None] | None, scale: float
) -> tuple[float, float] | None:
    if ends is None or ends[0] is None or ends[1] is None:
        return None
    return axis.at(ends[0] * scale), axis.at(ends[1] * scale)


def _staircase(members: list[Bubble]) -> str:
    """Returns a polyline: the best accuracy of the members up to each latency."""
    points: list[tuple[float, float]] = []
    for bubble in sorted(members, key=lambda b: (b.x, b.y)):
        if not points:
            points = [(bubble.x, FRAME.bottom), (bubble.x, bubble.y)]
        elif bubble.y < points[-1][1]:
            points += [(bubble.x, points[-1][1]), (bubble.x, bubble.y)]
    if points:
        points.append((FRAME.right, points[-1][1]))
    return " ".join(f"{x},{y}" for x, y in points)


def _lines(run: Run, y: Axis) -> list[tuple[float, str, str]]:
    settings, measure, notation = run.settings, run.measure, run.measure.notation
    known = [(measure.source_value, "Keras model", "source")]
    if settings.baseline is not None and measure.metric == "accuracy":
        least = settings.baseline - settings.tolerance
        known.append((least, "least accuracy accepted", "least"))
    return [
        (y.at(value * notation.scale), f"{name} {notation.said(value)}", kind)
        for value, name, kind in known
        if value is not None and y.low < value * notation.scale < y.high
    ]


def _radius(size_bytes: float, largest: float) -> float:
    return max(MIN_RADIUS, round(MAX_RADIUS * math.sqrt(size_bytes / largest), 1))


def _size_legend(largest: float) -> list[tuple[float, str]]:
    """Returns the radii and names of two round sizes, about the largest and a quarter of it."""
    found = []
    for size in (largest / 4, largest):
        power = 10.0 ** math.floor(math.log10(size))
        round_size = max(step * power for step in (1, 2, 5) if step * power <= size)
        shown = f"{round_size / 1e3:g} kB" if round_size < 1e6 else f"{round_size / 1e6:g} MB"
        found.append((_radius(round_size, largest), shown))
    return found
