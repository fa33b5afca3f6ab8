import re
from dataclasses import replace
from itertools import pairwise

import pytest

from benchmark.report.page.charts.layers import (
    MOST_CHARACTERS,
    MOST_HEIGHT,
    NAMED_FROM,
    layer_pictures,
)
from benchmark.report.page.html import page_html
from tests.benchmark.report.contents import (
    EXTREMES,
    HOSTILE,
    LAYERS,
    content_of,
    layers,
    measured,
    operator,
    read,
)


def test_the_network_goes_from_top_to_bottom_and_a_longer_bar_is_a_worse_operator() -> None:
    (picture,) = layer_pictures(read(content_of(measured("a", layers=LAYERS), measured("b"))))
    stem, hostile, activation = picture.bars
    assert stem.y < hostile.y < activation.y < picture.bottom
    assert hostile.own > stem.own > activation.own == picture.x.start
    assert (stem.kind, hostile.kind, activation.kind) == ("worst", "worst", "float")
    assert stem.own == picture.x.at(60 - 40.0)
    assert stem.mark == picture.x.at(60 - 35.0)
    assert (picture.x.at(20), "40") in picture.ticks


def test_a_bar_tells_its_figures_and_its_cause() -> None:
    (picture,) = layer_pictures(read(content_of(measured("a", layers=LAYERS))))
    title = picture.bars[1].title
    for told in (
        "adds by itself: 12.0 dB",
        "quantized alone: 80.00 %, 12.0 dB",
        "range -1…2, 0.10% clipped",
        "8 channels, 1 dead, 0 lost",
        "1,000 multiplications",
        "outlier channel 3",
    ):
        assert told in title
    assert picture.worst == [f"{HOSTILE} CONV_2D: outlier channel 3 of {HOSTILE}"]


def test_what_integer_inputs_cost_comes_first() -> None:
    told = replace(LAYERS, io_cause="in input 'x' column 1 spans less than a step")
    (picture,) = layer_pictures(read(content_of(measured("a", layers=told))))
    assert picture.worst[0] == f"integer inputs and outputs: {told.io_cause}"
    assert len(picture.worst) == 2


@pytest.mark.parametrize(("count", "named"), [(5, 5), (40, 40), (200, 3)])
def test_few_operators_are_all_named_and_of_many_the_worst(count: int, named: int) -> None:
    operators = (operator(f"block {n}", 50 - n / 10) for n in range(count))
    (picture,) = layer_pictures(read(content_of(measured("a", layers=layers(*operators)))))
    places = [bar.y for bar in picture.bars if bar.name]
    assert len(places) == named  # of the five worst those that are not on top of each other
    assert all(after - before >= NAMED_FROM for before, after in pairwise(places))
    assert picture.bars[-1].name  # the worst one
    assert picture.bottom <= MOST_HEIGHT + 20


def test_long_names_are_cut() -> None:
    (picture,) = layer_pictures(read(EXTREMES["200 operators"]))
    assert max(len(bar.name) for bar in picture.bars) == MOST_CHARACTERS


def test_one_picture_for_an_export_that_is_run_in_several_ways() -> None:
    rows = (measured("a", layers=LAYERS), measured("b"), measured("c", layers=layers()))
    assert [each.name for each in layer_pictures(read(content_of(*rows)))] == ["a"]


def test_the_page_shows_it() -> None:
    html = page_html(read(content_of(measured("a", layers=LAYERS))), None)
    assert len(re.findall(r'<g class="operator ', html)) == len(LAYERS.operators)
    assert "What quantization costs" not in page_html(read(content_of(measured("a"))), None)
