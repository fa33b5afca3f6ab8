"""The picture of how the latencies of each row are distributed. Coordinates only."""

from dataclasses import dataclass

import numpy as np

from benchmark.report.figures import microseconds, number
from benchmark.report.page.charts.axes import Axis, log_axis
from benchmark.report.page.charts.labels import CHARACTER
from benchmark.report.text import short
from benchmark.results.row import Row
from benchmark.results.run import Run

WIDTH = 960
RIGHT, TOP = 808.0, 14.0
ROW_HEIGHT, DENSITY_HEIGHT, BELOW = 34.0, 20.0, 46.0
BINS = 180
SHARES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A row of the picture.

    Attributes:
        name, text: what stands left and right of it.
        title: its figures in words.
        runtime: which colour it has.
        y: its base line.
        density: a polygon, the histogram of the logarithms.
        marks: where the 1st, 25th, 50th, 75th and 99th percentile lie.
    """

    name: str
    text: str
    title: str
    runtime: str
    y: float
    density: str
    marks: list[float]


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """The whole picture."""

    height: float
    bottom: float
    x: Axis
    strips: list[Strip]


def latency_distributions(run: Run) -> Distributions | None:
    """Returns the picture, fastest row first; None if no row was timed.

    Rows whose samples are means of several calls have no distribution of single ones.
    """
    samples = {
        row.name: (row, samples_us(row))
        for row in run.results
        if row.latency_us and row.latency_us.calls_per_sample == 1
    }
    if not samples:
        return None
    quantiles = {name: np.quantile(found, SHARES) for name, (_, found) in samples.items()}
    left = CHARACTER * max(len(short(name)) for name in samples) + 16
    x = log_axis(np.concatenate(list(quantiles.values())).tolist(), left, RIGHT, margin=1.05)
    bottom = TOP + ROW_HEIGHT * len(samples)
    order = sorted(samples, key=lambda name: quantiles[name][2])
    return Distributions(
        height=bottom + BELOW,
        bottom=bottom,
        x=x,
        strips=[
            _strip(*samples[name], quantiles[name], x, TOP + ROW_HEIGHT * (number_ + 1) - 8)
            for number_, name in enumerate(order)
        ],
    )


def samples_us(row: Row) -> np.ndarray:
    """Returns the samples that a row's statistics are of, (N,) float64, microseconds.

    Those of the quiet rounds, or of all where the run has too few quiet ones.
    """
    rounds = row.rounds_ns
    quiet = [found for found, is_quiet in zip(rounds, row.rounds_quiet, strict=True) if is_quiet]
    counted = row.latency_us.samples if row.latency_us else 0
    used = quiet if sum(map(len, quiet)) == counted else rounds
    return np.asarray(np.concatenate(used) / 1000)


def _strip(row: Row, samples: np.ndarray, quantiles: np.ndarray, x: Axis, y: float) -> Strip:
    low, *_, high = (number(value, 2) for value in quantiles)
    return Strip(
        name=short(row.name),
        text=f"{microseconds(row.p50_us, unstable=row.unstable)} µs, "
        f"p99 {microseconds(row.p99_us, unstable=False)}",
        title=f"{row.name}: median {number(quantiles[2], 2)} µs, half of the {len(samples):,} "
        f"calls in {number(quantiles[1], 2)}…{number(quantiles[3], 2)} µs, 98 % in {low}…{high} µs",
        runtime=row.runtime or "",
        y=y,
        density=_density(samples, x, y),
        marks=[x.at(value) for value in quantiles],
    )


def _density(samples: np.ndarray, x: Axis, y: float) -> str:
    """Returns the histogram over the axis as a polygon, its highest bin of full height."""
    edges = np.geomspace(x.low, x.high, BINS + 1)
    counts, _ = np.histogram(samples, edges)
    filled = np.flatnonzero(counts)
    if not filled.size:
        return ""
    points = [(x.at(edges[filled[0]]), y)]
    for index in range(filled[0], filled[-1] + 1):
        top = round(y - DENSITY_HEIGHT * counts[index] / counts.max(), 1)
        for point in ((x.at(edges[index]), top), (x.at(edges[index + 1]), top)):
            # a level stretch needs no points but its ends
            if len(points) > 1 and points[-1][1] == points[-2][1] == point[1]:
                points.pop()
            points.append(point)
    points.append((points[-1][0], y))
    return " ".join(f"{a:g},{b:g}" for a, b in points)
