import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from benchmark.report.page.charts.axes import Axis, linear_axis, log_axis
from benchmark.report.page.charts.classes import class_map
from benchmark.report.page.charts.distributions import latency_distributions, samples_us
from benchmark.report.page.charts.labels import Box, Disc, place_labels
from benchmark.report.page.charts.plot import FRAME, Plot, accuracy_plot
from tests.benchmark.report.contents import (
    CLASSES,
    EXTREMES,
    GAINED,
    LOST,
    VARIED,
    content_of,
    measured,
    read,
)


def plot_of(content: dict[str, Any]) -> Plot:
    plot = accuracy_plot(read(content))
    assert plot is not None
    return plot


def test_a_logarithmic_axis_gives_equal_ratios_equal_room() -> None:
    axis = Axis(low=1, high=100, start=0, end=200, log=True)
    assert [axis.at(value) for value in (1, 10, 100, 1000)] == [0, 100, 200, 200]
    assert [text for _, text in axis.ticks()] == ["1", "2", "5", "10", "20", "50", "100"]


def test_large_ticks_have_short_names() -> None:
    axis = Axis(low=5e5, high=2e6, start=0, end=1, log=True)
    assert [text for _, text in axis.ticks()] == ["500k", "1M", "2M"]


def test_a_linear_axis_may_run_upwards() -> None:
    axis = linear_axis(86.4, 88.2, 100, 0, least=0.5)
    assert [text for _, text in axis.ticks()] == ["86.5", "87", "87.5", "88"]
    assert axis.at(86.4) == 100


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [1e-3, 1e7]])
def test_every_axis_has_two_ticks_at_least(values: list[float]) -> None:
    axis = log_axis(values, 0, 100)
    assert len(axis.ticks()) >= 2
    assert axis.low < min(values) <= max(values) < axis.high
    assert len(linear_axis(values[0], values[0], 0, 100, least=0.5).ticks()) >= 2


def test_labels_cover_neither_each_other_nor_what_is_taken() -> None:
    random = np.random.RandomState(3)
    discs = [
        Disc(x=x, y=y, radius=8, text="tflite-int8-qat")
        for x, y in random.uniform(100, 300, (14, 2))
    ]
    taken = Box(left=100, top=0, right=200, bottom=300)
    frame = Box(left=0, top=0, right=500, bottom=400)
    boxes = [label.box for label in place_labels(discs, frame, [taken]) if label]
    assert len(boxes) >= 10
    assert all(map(frame.holds, boxes))
    for number, box in enumerate(boxes):
        assert not any(map(box.overlaps, [taken, *boxes[:number]]))


def test_a_label_that_fits_nowhere_is_left_out() -> None:
    disc = Disc(x=10, y=10, radius=3, text="a name longer than the frame")
    assert place_labels([disc], Box(left=0, top=0, right=50, bottom=50)) == [None]


def test_circles_say_latency_accuracy_and_size() -> None:
    plot = plot_of(VARIED)
    found = {bubble.name: bubble for bubble in plot.bubbles}
    assert set(found) == {row["name"] for row in VARIED["results"][:-1]}
    assert found["tflite-int8"].x < found["tflite-float32"].x < found["onnx-int8"].x
    assert found["onnx-int8"].y < found["tflite-float32"].y < found["tflite-int4"].y  # 0 is on top
    area = {name: math.pi * bubble.radius**2 for name, bubble in found.items()}
    assert area["tflite-float32"] / area["tflite-int8"] == pytest.approx(4, rel=0.05)
    low, high = found["tflite-int8"].y_bar or (0, 0)
    assert high < found["tflite-int8"].y < low
    assert "tflite-float32: pass\naccuracy 95.00 % (86.30…98.29)" in found["tflite-float32"].title


def test_the_front_holds_what_nothing_beats_in_everything() -> None:
    plot = plot_of(VARIED)
    assert {bubble.name for bubble in plot.bubbles if bubble.pareto} == {
        *("tflite-int8", "tflite-int4", "onnx-int8")
    }
    steps = [tuple(map(float, point.split(","))) for point in plot.front.split()]
    assert steps[0][1] == FRAME.bottom
    assert steps[-1][0] == FRAME.right
    for (x1, y1), (x2, y2) in pairwise(steps):
        assert (x1 == x2) != (y1 == y2)
        assert x2 >= x1
        assert y2 <= y1


def test_a_recommendation_brings_its_own_front() -> None:
    recommendation = {**VARIED["recommendation"], "pareto": ["tflite-float32"]}
    plot = plot_of({**VARIED, "recommendation": recommendation})
    assert [bubble.name for bubble in plot.bubbles if bubble.pareto] == ["tflite-float32"]


def test_an_export_far_below_the_others_lies_on_the_edge_and_says_so() -> None:
    (far,) = (bubble for bubble in plot_of(VARIED).bubbles if bubble.name == "onnx-dynamic")
    assert far.y == FRAME.bottom
    assert far.text == "onnx-dynamic ↓ 63.3%"
    assert far.verdict == "fail"


@pytest.mark.parametrize("name", [name for name in EXTREMES if name != "errors only"])
def test_everything_lies_inside_the_frame(name: str) -> None:
    plot = plot_of(EXTREMES[name])
    for bubble in plot.bubbles:
        assert FRAME.left < bubble.x < FRAME.right
        assert FRAME.top < bubble.y < FRAME.bottom
        assert bubble.label is None or FRAME.holds(bubble.label.box)
    assert sum(bubble.label is None for bubble in plot.bubbles) == plot.unlabelled


def test_what_has_no_room_for_a_name_is_counted() -> None:
    assert plot_of(EXTREMES["many rows"]).unlabelled > 0
    assert plot_of(EXTREMES["identical points"]).unlabelled == 0


def test_without_labels_the_plot_shows_agreement() -> None:
    plot = plot_of(EXTREMES["no labels"])
    assert plot.y_title.startswith("agreement")
    assert plot.lines == []
    assert plot.bubbles[0].y_bar is None


def test_nothing_measured_is_no_chart() -> None:
    content = EXTREMES["errors only"]
    assert accuracy_plot(read(content)) is None
    assert latency_distributions(read(content)) is None
    assert class_map(read(content)) is None


def test_distributions_are_of_the_samples_that_the_statistics_are_of() -> None:
    row = read(VARIED).results[0]
    assert row.latency_us is not None
    assert len(samples_us(row)) == row.latency_us.samples == 7 * 50
    everything = replace(row, latency_us=replace(row.latency_us, samples=400))
    assert len(samples_us(everything)) == 400
    assert np.median(samples_us(row)) == pytest.approx(row.p50_us)


def test_distributions_stand_in_order_on_one_axis() -> None:
    found = latency_distributions(read(VARIED))
    assert found is not None
    names = [strip.name for strip in found.strips]
    assert names == ["tflite-int8", "tflite-int4", "tflite-float32", "onnx-dynamic", "onnx-int8"]
    for strip in found.strips:
        assert strip.marks == sorted(strip.marks)
        points = [tuple(map(float, point.split(","))) for point in strip.density.split()]
        assert min(x for x, _ in points) <= strip.marks[0]
        assert max(x for x, _ in points) >= strip.marks[-1]
        assert max(y for _, y in points) == strip.y


def test_the_class_map_counts_what_each_class_lost_and_gained() -> None:
    found = class_map(read(content_of(measured("a", flips={**LOST, **GAINED}), measured("b"))))
    assert found is not None
    assert found.classes == list(CLASSES)
    assert found.source == ["95.0", "95.0", "95.0"]
    (_, (first, second, third)), (_, same) = found.rows
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.accuracy, first.difference, first.level) == ("95.0", "0", 0)
    assert "1 lost, 1 gained" in first.title
    assert {cell.level for cell in same if cell} == {0}


def test_a_class_that_loses_is_marked_as_far_as_it_is_sure() -> None:
    lost = class_map(read(content_of(measured("a", flips=dict.fromkeys(range(1, 40, 3), 0)))))
    assert lost is not None
    cell = lost.rows[0][1][1]
    assert cell is not None
    assert (cell.accuracy, cell.difference, cell.level, cell.sure) == ("30.0", "−65.0", -4, True)
    little = class_map(read(content_of(measured("a", flips={1: 0}))))
    assert little is not None
    assert little.rows[0][1][1] is not None
    assert not little.rows[0][1][1].sure
