"""The benchmark's page as a person sees it: the file in a real browser."""

import os
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from benchmark.report.page.html import plot_svg
from benchmark.report.write import PAGE_FILE, write_reports
from tests.benchmark.report.contents import EXTREMES, IMAGES, VARIED, read

pytestmark = pytest.mark.slow  # a browser is many processes
PHONE_WIDTH = 390
# Everything that a chart draws, and how far it sticks out of the chart, in pixels.
STICKING_OUT = """
return [...document.querySelectorAll("svg.chart")].map(svg => {
  const frame = svg.getBoundingClientRect();
  const drawn = [...svg.querySelectorAll("text, circle, path, polyline, polygon, line")];
  return [svg.id, drawn.length, ...drawn.map(item => item.getBoundingClientRect()).map(box =>
    Math.max(frame.left - box.left, box.right - frame.right,
             frame.top - box.top, box.bottom - frame.bottom))];
});
"""
# Pairs of texts in the plot that cover each other.
COVERED = """
const names = [...document.querySelectorAll("#plot .name, #plot .legend text")].map(item => [
  item.textContent, item.getBoundingClientRect()]);
return names.flatMap(([one, a], index) => names.slice(index + 1).filter(([, b]) =>
  a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3
).map(([other]) => [one, other]));
"""
COLUMN = "return [...document.querySelectorAll('#table tbody tr')].map(r => r.cells[%d].innerText)"
IMAGES_SHOWN = "return [...document.images].map(image => [image.complete, image.naturalWidth])"


def opened(browser: webdriver.Chrome, folder: Path, content: dict[str, Any], width: int) -> None:
    write_reports(read(content), IMAGES, folder)
    emulate(browser, "setDeviceMetricsOverride", width=width, height=900, **METRICS)
    browser.get((folder / PAGE_FILE).as_uri())


METRICS = {"deviceScaleFactor": 1, "mobile": False}


def emulate(browser: webdriver.Chrome, what: str, **arguments: Any) -> None:
    browser.execute_cdp_cmd(f"Emulation.{what}", arguments)


def console(browser: webdriver.Chrome) -> list[Any]:
    """What the page said, refusals by its policy included."""
    said: list[Any] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return said


def screenshot(browser: webdriver.Chrome, name: str, width: int) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        height = browser.execute_script("return document.documentElement.scrollHeight")
        emulate(browser, "setDeviceMetricsOverride", width=width, height=height, **METRICS)
        browser.save_screenshot(str(Path(folder, f"{name}.png")))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn_whole(browser: webdriver.Chrome, tmp_path: Path, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    emulate(browser, "setEmulatedMedia", features=[feature])
    opened(browser, tmp_path, VARIED, 1200)
    charts = browser.execute_script(STICKING_OUT)
    assert [chart[0] for chart in charts] == ["plot", "distributions", "layers-onnx-int8"]
    for _, drawn, *outside in charts:
        assert drawn > 15
        assert max(outside) <= 0
    assert browser.execute_script(COVERED) == []
    shown = browser.execute_script(IMAGES_SHOWN)
    assert shown
    assert all(complete and width > 0 for complete, width in shown)
    assert console(browser) == []
    screenshot(browser, f"page-{scheme}", 1200)


def test_a_click_sorts_and_a_second_one_turns_it_round(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    opened(browser, tmp_path, VARIED, 1200)
    headers = browser.find_elements("css selector", "#table th")
    sizes = ["25.0", "50.0", "50.0", "60.0", "200.0"]  # as numbers, not as text
    headers[2].find_element("tag name", "button").click()
    assert browser.execute_script(COLUMN % 2) == [*sizes, "–"]
    assert headers[2].get_attribute("aria-sort") == "ascending"
    headers[2].find_element("tag name", "button").send_keys(Keys.ENTER)
    assert browser.execute_script(COLUMN % 2) == [*sizes[::-1], "–"]
    assert headers[2].get_attribute("aria-sort") == "descending"
    headers[9].find_element("tag name", "button").click()
    verdicts = browser.execute_script(COLUMN % 9)
    assert verdicts == sorted(verdicts, key=lambda text: text.split()[1])
    assert headers[2].get_attribute("aria-sort") == "none"


@pytest.mark.parametrize("name", ["varied", *EXTREMES])
def test_a_phone_shows_it_without_scrolling_aside(
    browser: webdriver.Chrome, tmp_path: Path, name: str
) -> None:
    opened(browser, tmp_path, EXTREMES.get(name, VARIED), PHONE_WIDTH)
    width, room, content = browser.execute_script(
        "const page = document.documentElement;"
        "return [innerWidth, page.clientWidth, page.scrollWidth]"
    )
    assert width == PHONE_WIDTH
    assert content <= room
    for _, _, *outside in browser.execute_script(STICKING_OUT):
        assert max(outside) <= 0
    assert browser.execute_script(COVERED) == []
    assert console(browser) == []
    screenshot(browser, f"page-phone-{name}".replace(" ", "-"), PHONE_WIDTH)


def test_the_plot_is_a_picture_of_its_own(browser: webdriver.Chrome, tmp_path: Path) -> None:
    (tmp_path / "plot.svg").write_text(plot_svg(read(VARIED)), encoding="utf-8")
    (tmp_path / "readme.html").write_text("<img src=plot.svg width=900>")
    browser.get((tmp_path / "readme.html").as_uri())
    assert browser.execute_script(IMAGES_SHOWN)[0][0]
    assert browser.execute_script("return document.images[0].height") == 525
    screenshot(browser, "plot", 1200)
