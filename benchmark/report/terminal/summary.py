"""Renders a run in the terminal: the table, what matters of it, and on request the rest."""

from collections.abc import Iterator
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.report.tables import (
    OTHER_COLUMNS,
    OTHER_LEGEND,
    npu_table,
    npu_title,
    other_rows,
)
from benchmark.report.terminal.console import plain_table, say
from benchmark.report.terminal.details import details_legend, details_table, profiles, throughputs
from benchmark.report.text import EMULATED, cells, columns, facts
from benchmark.results.run import Run

STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "red"}
MOST_REASONS = 4  # unless all are asked for
SHORT = {"inconclusive": "inconcl"}  # so that the table has 80 columns


def render(run: Run, console: Console, *, explain: bool = False, details: bool = False) -> None:
    """Prints the table, what was compared, what is recommended, and why rows do not pass.

    Args:
        run: what was found.
        console: where to.
        explain: whether to say why rows are slow or large, and how it was measured.
        details: whether to print a second table, of start-up, memory, tails and classes.
    """
    console.print(results_table(run))
    if others := other_rows(run.results):
        say(console, f"The table is of output {run.measure.output}; the others:")
        console.print(_others_table(others))
        say(console, OTHER_LEGEND)
    if run.npu:
        say(console, npu_title(run))
        console.print(_npu_table(run))
    if details:
        console.print(details_table(run.results))
        say(console, details_legend(run.results))
    reasons = _reasons(run)
    shown = reasons if explain else reasons[:MOST_REASONS]
    for line in shown:
        say(console, line)
    if left := len(reasons) - len(shown):
        say(console, f"{left} more reason{'s' * (left > 1)}: --explain, or the page.")
    for line in (*throughputs(run), *profiles(run), *_summary(run)):
        say(console, line)
    for line in _explanations(run) if explain else _hints(run):
        say(console, line)


def _reasons(run: Run) -> list[str]:
    """Returns why rows don't pass, those first that certainly don't."""
    rows = sorted(run.results, key=lambda row: row.verdict == "inconclusive")
    return [f"{row.name}: {row.verdict}: {reason}" for row in rows for reason in row.reasons]


def results_table(run: Run) -> Table:
    """Returns the table of the rows; the recommended one and the Pareto set are marked."""
    measure = run.measure
    table = plain_table("format", columns(measure))
    table.add_column("verdict", no_wrap=True)
    headed: set[str] = set()
    for row in run.results:
        if row.browser and row.browser not in headed:
            headed.add(row.browser)
            table.add_row(Text(f"in {row.browser}:"))
        marks = "".join(
            "*" * (row.name == found.name) + "†" * (row.name in found.pareto)
            for found in run.recommendations
        )
        verdict = Text(SHORT.get(row.verdict, row.verdict), STYLES[row.verdict])
        name = row.name.removesuffix(f" {row.browser}")
        table.add_row(Text(name), *cells(row, measure), verdict.append(marks, "default"))
    return table


def _others_table(rows: list[tuple[str, ...]]) -> Table:
    table = plain_table(OTHER_COLUMNS[0], ())
    for name in OTHER_COLUMNS[1:]:
        figure = name in OTHER_COLUMNS[3:6]
        table.add_column(
            name, justify="right" if figure else "left", no_wrap=figure, overflow="fold"
        )
    for row in rows:
        verdict = Text(SHORT.get(row[-1], row[-1]), STYLES[row[-1]])
        table.add_row(*map(Text, row[:-1]), verdict)
    return table


def _npu_table(run: Run) -> Table:
    headings, *rows = npu_table(run)
    table = plain_table(headings[0], ())
    for name in headings[1:]:
        justify: Literal["left", "right"] = "right" if name in headings[2:-1] else "left"
        table.add_column(name, justify=justify, no_wrap=name != headings[-1], overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _summary(run: Run) -> Iterator[str]:
    """Yields what was compared, and which export to take."""
    yield _compared(run)
    if run.environment.emulated:
        yield f"{EMULATED}. So there is no recommendation."
    elif run.recommendation is None:
        yield "recommended for this machine: none, no export passes"
    else:
        yield f"* Take {run.recommendation.name}, {run.recommendation.reason}."
    if run.browser and (there := run.browser_recommendation):
        name = there.name.removesuffix(f" {run.browser.name}")
        yield f"* In {run.browser.name} take {name}, {there.reason}."


def _compared(run: Run) -> str:
    measure, settings, notation = run.measure, run.settings, run.measure.notation
    compared = f"{run.total:,} test {measure.examples}"
    if not measure.labelled:
        return f"{compared}; no labels: judged by outputs."
    by_accuracy = measure.metric == "accuracy"
    keras = f"{'' if by_accuracy else f'{notation.name} '}{notation.said(measure.source_value)}"
    limits = [f"drop {settings.allowed_drop * 100:.2f} {notation.unit}"]
    if settings.baseline is not None and by_accuracy:
        limits.append(f"accuracy {settings.baseline - settings.tolerance:.2%}")
    return f"{compared}; Keras {keras}; limit{'s' * (len(limits) > 1)}: {', '.join(limits)}."


def _hints(run: Run) -> Iterator[str]:
    """Yields how to read the table, and what there is to know that is not in it."""
    measure, notation = run.measure, run.measure.notation
    drop = f"points of {notation.name} lost"
    if notation.error:
        drop = f"% by which the {notation.name} is larger"
    noise = "" if measure.near_by_share else "SNR is centred; "
    pareto = "; † Pareto set" if run.recommendation else ""
    yield f"drop: {drop}, + is worse; {noise}p50, p99: µs per {measure.examples[:-1]}{pareto}."
    in_browser = [row.latency_us for row in run.results if row.browser and row.latency_us]
    most = max((latency.calls_per_sample for latency in in_browser), default=1)
    if run.browser and most > 1:
        yield (
            f"{run.browser.name}: its clock moves by {run.browser.clock_step_us:.3g} µs, so a time "
            f"is the mean of up to {most} calls, and there is no p99."
        )
    timed = [row.latency_us for row in run.results if row.latency_us]
    if unstable := [found.spread or 0 for found in timed if found.unstable]:
        yield f"~ rounds differ, by up to {max(unstable):.0%}: the machine was not at rest."
    if explained := sum(bool(row.explanations) for row in run.results):
        rows = f"{explained} row{'s are' if explained > 1 else ' is'}"
        yield f"{rows} slower, larger or no better than expected: --explain says why."


def _explanations(run: Run) -> Iterator[str]:
    if found := run.recommendation:
        if found.runner_up:
            yield f"{found.runner_up}."
        yield (
            f"† Pareto set: {', '.join(found.pareto)}: no other export that passes is as fast, as "
            "small and as accurate."
        )
    if run.explanations:
        yield "Slower, larger or no better than expected:"
    yield from (f"  {sentence}" for sentence in run.explanations)
    yield from (f"{name}: {meaning}" for name, meaning in columns(run.measure).items())
    yield from (f"{title}: {text}" for title, text in facts(run).items())
