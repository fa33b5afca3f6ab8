"""Prints the README's two pictures into a folder of the report, from `artifacts/benchmark.json`.

`make pictures` runs it: the page's plot, and the terminal's table as a picture of a terminal.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmark.report.page.html import plot_svg
from benchmark.report.terminal.summary import results_table
from benchmark.report.text import facts
from benchmark.results.read import read_run
from benchmark.results.run import Run
from train.common.command.cli import run_program
from train.common.files.staging import publish, staging

SOURCE, TARGET = Path("artifacts/benchmark.json"), Path("benchmark/report/pictures")
SHOWN = ("Keras model", "limits", "machine")
# rich's picture asks the network for its font; without it, the reader's own is taken
FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    run = read_run(SOURCE)
    with staging(TARGET) as staged:
        (staged / "plot.svg").write_text(plot_svg(run), encoding="utf-8")
        (staged / "table.svg").write_text(table_svg(run), encoding="utf-8")
        publish([staged / "plot.svg", staged / "table.svg"], TARGET)
    return 0


def table_svg(run: Run) -> str:
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
    console.print(results_table(run))
    said = facts(run)
    for title in SHOWN:
        console.print(f"{title}: {said[title]}", highlight=False, markup=False)
    svg = console.export_svg(title="python -m benchmark", unique_id="table")
    return FONT.sub("", svg)


if __name__ == "__main__":
    run_program(main)
