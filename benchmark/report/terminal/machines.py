"""Renders the results of several machines side by side.

Latencies are shown, not tested: the runs of different machines share no conditions. Predictions
are compared image by image, because they must not depend on the machine.
"""

import string
from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.judge.scoring.metrics import MISSING
from benchmark.report.figures import microseconds
from benchmark.report.terminal.console import plain_table, say
from benchmark.results.row import Row
from benchmark.results.run import Run

MACHINES_PER_TABLE = 3  # what fits into 80 columns
LEFT_OUT = ", emulated: its times are the emulator's and are left out"
OTHER_CLASS = "≠A: how many are in another class than on A; "
LEGEND = (
    "{column}: on A, over {total:,} test {examples}; {other}"
    "p50, p99: µs for one {example}, ~ where rounds differ. Times of different machines are shown, "
    "not tested: their runs had no conditions in common."
)


def render_machines(runs: Sequence[Run], console: Console) -> None:
    """Prints the rows of all runs side by side, three machines per table, and what they are."""
    lettered = dict(zip(string.ascii_uppercase, runs, strict=False))
    letters = list(lettered)
    for start in range(0, len(runs), MACHINES_PER_TABLE):
        console.print(_table(lettered, letters[start : start + MACHINES_PER_TABLE]))
    for letter, run in lettered.items():
        machine = run.environment
        about = f"{machine.cpu}, {machine.cores} cores, {machine.architecture}"
        say(console, f"{letter}: {run.path}: {about}{LEFT_OUT * machine.emulated}")
    first, measure = runs[0], runs[0].measure
    legend = LEGEND.format(
        column=measure.notation.column,
        total=first.total,
        examples=measure.examples,
        example=measure.examples[:-1],
        other=OTHER_CLASS * measure.classes,
    )
    say(console, legend)
    for letter, run in lettered.items():
        others = [f"{row.name} {row.verdict}" for row in run.results if row.verdict != "pass"]
        if others:
            say(console, f"On {letter} these do not pass: {', '.join(others)}.")


def _table(runs: Mapping[str, Run], shown: Sequence[str]) -> Table:
    """Returns a table of some of the machines, compared with A."""
    first, measure = runs["A"], runs["A"].measure
    headings: list[str] = []
    for letter in shown:
        of_first = [measure.notation.column] * (letter == "A")
        flips = ["≠A"] * (letter != "A" and measure.classes)
        headings += [*of_first, f"{letter} p50", "p99", *flips]
    table = plain_table("format", headings)
    rows = {letter: run.rows for letter, run in runs.items()}
    for name in dict.fromkeys(row.name for run in runs.values() for row in run.results):
        cells: list[str] = []
        for letter in shown:
            row, before = rows[letter].get(name), rows["A"].get(name)
            timed = None if runs[letter].environment.emulated else row
            if letter == "A":
                value = None if row is None or first.measure.agrees else row.value
                cells.append(measure.notation.figure(value))
            cells += [
                microseconds(timed.p50_us, unstable=timed.unstable) if timed else MISSING,
                microseconds(timed.p99_us, unstable=False) if timed else MISSING,
            ]
            if letter != "A" and measure.classes:
                cells.append(_flips(before, row))
        table.add_row(Text(name), *cells)
    return table


def _flips(before: Row | None, row: Row | None) -> str:
    if before is None or row is None or before.predicted is None or row.predicted is None:
        return MISSING
    return str(np.count_nonzero(before.predicted != row.predicted))
