import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from benchmark.report.page.html import page_html, plot_svg
from benchmark.report.text import best_passing
from benchmark.report.write import write_reports
from tests.benchmark.report.contents import (
    CLASSES,
    EMULATED,
    EXTREMES,
    HOSTILE,
    IMAGES,
    LOST,
    VARIED,
    content_of,
    measured,
    read,
)
from train.common.errors import ArtifactError


class Page(HTMLParser):
    """What a browser would make of the page: tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(content: dict[str, Any], images: np.ndarray | None = IMAGES) -> Page:
    return Page(page_html(read(content), images))


def test_three_files_are_written(tmp_path: Path) -> None:
    written = write_reports(read(VARIED), IMAGES, tmp_path)
    assert [path.name for path in written] == [
        *("benchmark.csv", "benchmark.md", "benchmark.html", "benchmark.card.md"),
    ]
    assert all(path.stat().st_size > 500 for path in written)


def test_the_keras_model_is_neither_the_fastest_nor_the_smallest_export() -> None:
    keras = measured("keras", p50_us=1.0, size_bytes=1, runtime="keras")
    run = read(content_of(keras, measured("a"), measured("b", p50_us=9.0, size_bytes=40_000)))
    assert [found and found.name for found in best_passing(run.results)] == ["a", "b"]


def test_the_same_content_gives_the_same_page() -> None:
    assert page_html(read(VARIED), IMAGES) == page_html(read(VARIED), IMAGES)


def test_hostile_names_stay_text() -> None:
    found = page(VARIED)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert HOSTILE in found.text
    assert "is <b>below</b> 89.00%" in found.text
    hostile = page(content_of(measured(HOSTILE, flips=LOST)))
    assert [tag for tag, _ in hostile.tags].count("script") == 1


def test_nothing_is_fetched_and_only_the_pages_own_script_runs() -> None:
    html = page_html(read(VARIED), IMAGES)
    for tag, attributes in Page(html).tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
    assert set(re.findall(r"https?://[^\"<> ]+", html)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in html
    assert "@import" not in html
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in policy


def test_every_row_is_in_the_table_with_a_dash_for_what_is_missing() -> None:
    html = page_html(read(VARIED), IMAGES)
    table = html.partition('id="table"')[2].partition("</table>")[0]
    rows = table.partition("<tbody>")[2].split("<tr>")[1:]
    assert len(rows) == len(VARIED["results"])
    assert rows[-1].count('data-sort="">–<') == 8
    assert "! error" in rows[-1]
    assert 'data-sort="200000">200.0<' in rows[0]


def test_verdicts_are_counted_and_the_best_named() -> None:
    text = " ".join(page(VARIED).text.split())
    assert "✓ 4 pass ✗ 1 fail ! 1 error of 6" in text
    assert "2.0 µs tflite-int8, median of one inference" in text
    assert "25 kB tflite-int4, file" in text


def test_a_recommendation_is_on_top_and_explanations_below_the_table() -> None:
    none_passes = content_of(measured("a", verdict="fail", reasons=("no",)))
    assert 'id="recommendation"' not in page_html(read(none_passes), IMAGES)
    content = content_of(measured("a"), measured("b", p50_us=9.0))
    content["recommendation"] |= {"name": "a", "reason": "Fast & small."}
    content["explanations"] = ["b: It is slow because."]
    html = page_html(read(content), IMAGES)
    assert html.index("Fast &amp; small.") < html.index('id="plot"')
    assert html.index("It is slow because.") > html.index('id="table"')


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_are_pages_too(name: str) -> None:
    found = page(EXTREMES[name])
    assert [tag for tag, _ in found.tags].count("main") == 1
    assert "None" not in found.text


def test_what_is_missing_is_said() -> None:
    assert "Nothing was measured." in page(EXTREMES["errors only"]).text
    assert "The data has no labels." in page(EXTREMES["no labels"]).text
    assert "a: 0 of 60" in page(EXTREMES["no flips"]).text
    unseen = page(content_of(measured("a", flips=LOST)), None)
    assert "These images cannot be shown" in unseen.text
    assert "img" not in [tag for tag, _ in unseen.tags]


def test_a_page_of_fourteen_rows_is_small_enough_to_mail() -> None:
    flips = dict.fromkeys(range(0, 57, 3), 1)
    rows = [measured(f"tflite-{number}", flips=flips, p50_us=2.0 + number) for number in range(14)]
    assert len(page_html(read(content_of(*rows)), IMAGES)) < 600_000  # of noise, the worst pictures


def test_there_is_no_plot_of_nothing() -> None:
    with pytest.raises(ArtifactError, match="no row was measured"):
        plot_svg(read(EXTREMES["errors only"]))


@pytest.mark.parametrize("name", [name for name in EXTREMES if name != "errors only"])
def test_the_plot_stands_alone(name: str) -> None:
    svg = ET.fromstring(plot_svg(read(EXTREMES[name])))  # noqa: S314
    texts = {node.text for node in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert any("median time of one inference, µs" in (text or "") for text in texts)
    assert svg.find("{http://www.w3.org/2000/svg}style") is not None


def test_class_names_are_the_columns_of_the_map() -> None:
    html = page_html(read(VARIED), IMAGES)
    table = Page(html.partition('id="classes"')[2].partition("</table>")[0])
    assert all(name in table.text for name in CLASSES)


def test_a_page_of_an_emulated_machine_says_so_on_top_and_names_no_fastest() -> None:
    real, emulated = (page_html(read(content), IMAGES) for content in (VARIED, EMULATED))
    assert 'id="emulated"' not in real
    assert "fastest that passes" in real
    assert emulated.index('id="emulated"') < emulated.index("<table")
    assert "fastest that passes" not in emulated
    assert "smallest that passes" in emulated
