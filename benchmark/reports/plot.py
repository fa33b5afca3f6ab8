"""The picture of all rows: accuracy against latency, size as area. Coordinates only. Light."""

import math
from dataclasses import dataclass

from benchmark.reports.axes import Axis, linear_axis, log_axis
from benchmark.reports.labels import Box, Disc, Label, place_labels
from benchmark.reports.words import (
    RUNTIMES,
    Json,
    interval,
    number,
    p50,
    pareto_names,
    quality,
    short,
)

WIDTH, HEIGHT = 960, 560
FRAME = Box(left=64, top=16, right=944, bottom=470)
MAX_RADIUS, MIN_RADIUS = 22.0, 3.0
# An export that is far worse than the best lies on the lower edge, lest it squeeze the others.
MAX_DEPTH = 0.10
LEAST_SPAN = 0.005


@dataclass(frozen=True, kw_only=True)
class Bubble:
    """A row of the plot.

    Attributes:
        name, title: what it is called, and its figures in words.
        runtime, verdict: which colour and outline it has.
        x, y, radius: its circle.
        x_bar, y_bar: the ends of its error bars; None where there is no interval.
        pareto: whether it is on the Pareto front.
        label: where its name stands; None where there is no room.
        text: what stands there.
    """

    name: str
    title: str
    runtime: str
    verdict: str
    x: float
    y: float
    radius: float
    x_bar: tuple[float, float] | None
    y_bar: tuple[float, float] | None
    pareto: bool
    label: Label | None
    text: str


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


def accuracy_plot(content: Json) -> Plot | None:
    """Returns the picture; None if no row was measured."""
    rows = [row for row in content["results"] if p50(row) is not None]
    if not rows:
        return None
    labelled = content["source"]["accuracy"] is not None
    x = log_axis([p50(row) or 0 for row in rows], FRAME.left, FRAME.right)
    y = _quality_axis(rows)
    pareto = pareto_names(content)
    largest = max(row["size_bytes"] for row in rows)

    # those on the front get their labels first, and are drawn last, on top
    rows.sort(key=lambda row: (row["name"] not in pareto, -row["size_bytes"]))
    discs = [
        Disc(
            x=x.at(p50(row) or 0),
            y=y.at(quality(row) * 100),
            radius=_radius(row["size_bytes"], largest),
            text=_text(row, y),
        )
        for row in rows
    ]
    lines = _lines(content, y) if labelled else []
    taken = [
        Box(left=FRAME.right - 6.3 * len(text), top=at - 15, right=FRAME.right, bottom=at)
        for at, text, _ in lines
    ]
    labels = place_labels(discs, FRAME, taken)
    bubbles = [
        Bubble(
            name=row["name"],
            title=_title(row),
            runtime=row["runtime"],
            verdict=row["verdict"],
            x=disc.x,
            y=disc.y,
            radius=disc.radius,
            x_bar=_bar(x, row["latency_us"]["p50_ci95"], 1),
            y_bar=_bar(y, row["accuracy_ci95"], 100),
            pareto=row["name"] in pareto,
            label=label,
            text=disc.text,
        )
        for row, disc, label in zip(rows, discs, labels, strict=True)
    ]
    return Plot(
        frame=FRAME,
        x=x,
        y=y,
        y_title="accuracy, % of the test images"
        if labelled
        else "agreement with the Keras model, % of the images",
        bubbles=bubbles[::-1],
        front=_staircase([bubble for bubble in bubbles if bubble.pareto]),
        lines=lines,
        sizes=_size_legend(largest),
        runtimes=[
            (key, name) for key, name in RUNTIMES.items() if any(b.runtime == key for b in bubbles)
        ],
        unlabelled=sum(label is None for label in labels),
    )


def _quality_axis(rows: list[Json]) -> Axis:
    best = max(map(quality, rows))
    shown = [row for row in rows if quality(row) >= best - MAX_DEPTH]
    ends = [end for row in shown for end in row["accuracy_ci95"] or [quality(row)]]
    margin = max(max(ends) - min(ends), LEAST_SPAN) * 0.08
    return linear_axis(
        (min(ends) - margin) * 100,
        (max(ends) + margin) * 100,
        FRAME.bottom,
        FRAME.top,
        LEAST_SPAN * 100,
    )


def _text(row: Json, y: Axis) -> str:
    below = quality(row) * 100 < y.low
    return f"{short(row['name'])} ↓ {quality(row):.1%}" if below else short(row["name"])


def _title(row: Json) -> str:
    """The figures of a row in words, for whoever points at it."""
    latency = row["latency_us"]
    figures = [f"accuracy {number(row['accuracy'], 2, 100)} %"]
    if row["accuracy_ci95"]:
        figures[0] += f" ({interval(row['accuracy_ci95'], 2, 100)})"
    return "\n".join(
        (
            f"{row['name']}: {row['verdict']}",
            *figures,
            f"agreement {number(row['distance']['agreement'], 2, 100)} %",
            f"median {number(latency['p50'], 2)} µs, p99 {number(latency['p99'], 2)} µs",
            f"{number(row['size_bytes'], 1, 1e-3)} kB",
        )
    )


def _bar(axis: Axis, ends: list[float | None] | None, scale: float) -> tuple[float, float] | None:
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


def _lines(content: Json, y: Axis) -> list[tuple[float, str, str]]:
    settings = content["settings"]
    floor = settings["baseline"] - settings["tolerance"]
    known = (
        (content["source"]["accuracy"], "Keras model", "source"),
        (floor, "least accuracy accepted", "floor"),
    )
    return [
        (y.at(value * 100), f"{name} {value:.2%}", kind)
        for value, name, kind in known
        if y.low < value * 100 < y.high
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
