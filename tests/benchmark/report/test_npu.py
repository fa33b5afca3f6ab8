"""Estimates of NPUs in every report: told as estimates, beside the rows and not among them."""

import io

from rich.console import Console

from benchmark.report.page.html import page_html
from benchmark.report.tables import csv_text, markdown_text
from benchmark.report.terminal.summary import render
from benchmark.results.compare import find_changes
from tests.benchmark.report.contents import IMAGES, VARIED, read

ESTIMATED = {
    **VARIED,
    "npu": [
        {
            "name": "tflite-int8-ethos-u55-128",
            "format": "tflite-int8",
            "npu": "ethos-u55-128",
            "by": "ethos-u-vela 9.9",
            "system_config": "Ethos_U55_High_End_Embedded",
            "memory_mode": "Shared_Sram",
            "clock_hz": 5e8,
            "inference_us": 516.4,
            "sram_bytes": 1136,
            "flash_bytes": 258_400,
            "dram_bytes": 0,
            "npu_operators": 30,
            "on_cpu": [{"operator": "LOG_SOFTMAX", "count": 2, "reason": "no | kernel"}],
        },
        {"name": "tflite-int4-ethos-u55-128", "problem": "it was edited"},
    ],
}
SAID = "On Arm's NPUs, as ethos-u-vela 9.9 estimates it; nothing of this was run:"
CELLS = ("tflite-int8", "ethos-u55-128", "258.4", "1.1", "516")


def test_they_are_in_the_terminal_the_markdown_and_the_page() -> None:
    run, out = read(ESTIMATED), io.StringIO()
    render(run, Console(file=out, width=120))
    markdown, page = markdown_text(run), page_html(run, IMAGES)
    assert SAID in out.getvalue()
    assert SAID in markdown
    assert SAID.replace("'", "&#39;") in page
    left = r"2 LOG\_SOFTMAX (no \| kernel)"
    assert f"| {' | '.join(CELLS)} | {left} |" in markdown
    line = next(line for line in out.getvalue().splitlines() if "ethos-u55-128" in line)
    assert tuple(line.split()[:5]) == CELLS
    for text in (out.getvalue(), markdown, page):
        assert "it was edited" in text


def test_they_are_no_rows_and_change_no_comparison() -> None:
    without, run = read(VARIED), read(ESTIMATED)
    assert list(run.rows) == list(without.rows)
    assert csv_text(run) == csv_text(without)
    changes = find_changes(without, run)
    assert [row.kinds for row in changes.rows] == [()] * len(run.results)
    assert "NPU" not in markdown_text(without)
