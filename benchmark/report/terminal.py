"""Renders results as a table in the terminal, plain when piped."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.judge.metrics import Measure
from benchmark.measure.latency import MIN_ROUNDS
from benchmark.measure.variants import KERAS
from benchmark.report.advice import advice
from benchmark.report.details import details_legend, details_table
from benchmark.report.others import OTHER_COLUMNS, OTHER_LEGEND, other_rows
from benchmark.report.text import Json, cells, columns
from benchmark.results.file import Benchmark
from train.common.environment import Environment

STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "red"}
SHORT = {"inconclusive": "inconcl."}


def render(
    benchmark: Benchmark,
    environment: Environment,
    console: Console,
    *,
    details: bool = False,
) -> None:
    """Prints the table, what its columns mean, what is recommended, and the reasons.

    Args:
        benchmark: what was found.
        environment: the machine.
        console: where to.
        details: whether to print a second table, of start-up, memory, tails and classes.
    """
    rows = [result.as_json(benchmark.limits) for result in benchmark.results]
    found = benchmark.recommendation
    console.print(results_table(rows, benchmark.measure, found.as_json() if found else None))
    if others := other_rows(rows):
        say(console, f"The table is of output {benchmark.measure.output}; the others:")
        console.print(others_table(others))
        say(console, OTHER_LEGEND)
    if details:
        console.print(details_table(benchmark.results))
        say(console, details_legend(benchmark.results))
    _legend(benchmark, environment, console)
    for line in advice(benchmark, environment):
        say(console, line)
    _unstable(benchmark, console)
    _throughput(benchmark, console)
    _profiles(benchmark, console)
    for result in benchmark.results:
        for reason in result.reasons:
            say(console, f"{result.variant.name}: {result.verdict}: {reason}")


def results_table(rows: Sequence[Json], measure: Measure, recommendation: Json | None) -> Table:
    """Returns the table of the rows of `benchmark.json`; the recommendation's are marked."""
    found = recommendation or {"name": None, "pareto": ()}
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("format", overflow="fold")  # the one to give way in a narrow terminal
    for name in columns(measure):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        marks = "*" * (row["name"] == found["name"]) + "†" * (row["name"] in found["pareto"])
        verdict = SHORT.get(row["verdict"], row["verdict"])
        table.add_row(
            row["name"], *cells(row, measure), f"[{STYLES[row['verdict']]}]{verdict}[/]{marks}"
        )
    return table


def others_table(rows: Sequence[tuple[str, ...]]) -> Table:
    """Returns the table of the further outputs' cells."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for name in OTHER_COLUMNS:
        figure = name in OTHER_COLUMNS[3:6]
        table.add_column(
            name, justify="right" if figure else "left", no_wrap=figure, overflow="fold"
        )
    for row in rows:
        verdict = SHORT.get(row[-1], row[-1])
        table.add_row(*(Text(cell) for cell in row[:-1]), f"[{STYLES[row[-1]]}]{verdict}[/]")
    return table


def _legend(benchmark: Benchmark, environment: Environment, console: Console) -> None:
    measure, limits = benchmark.measure, benchmark.limits
    notation, examples = measure.notation, measure.examples
    source = "no labels: judged by outputs"
    if measure.labelled:
        baseline = "" if limits.baseline is None else f", the baseline {limits.baseline:.2%}"
        source = (
            f"the Keras model's {notation.name} is {notation.said(measure.source_value)}{baseline}"
            f", the tolerance {limits.tolerance * 100:.2f} {notation.unit}"
        )
        if limits.max_drop is not None:
            source += f", the largest drop {limits.max_drop * 100:.2f}"
    near = "agree: % in the same class as by it"
    if not measure.classes:
        near = "SNR: signal-to-noise ratio of the outputs against its, dB"
    say(
        console,
        f"{benchmark.total:,} test {examples}; {source}. drop: {notation.drop_meaning}; {near}; "
        f"p50, p99: µs for one {examples[:-1]}.",
    )
    timers = [result.latency.timer for result in benchmark.results if result.latency]
    if timers:
        say(console, f"Each timing includes {1000 * max(timers):.0f} ns of reading the clock.")
    for result in benchmark.results:
        if result.variant.format == KERAS and result.scalars:
            call = result.scalars["call"]
            say(console, f"{result.variant.name}: timed by {call}, the faster way")
    say(console, f"{environment.cpu}, {environment.cores} cores, {environment.architecture}")
    say(console, ", ".join(environment.cpu_features))


def _unstable(benchmark: Benchmark, console: Console) -> None:
    timed = [r.latency for r in benchmark.results if r.latency is not None]
    rounds = sum(len(latency.rounds_p50) for latency in timed)
    disturbed = rounds - sum(latency.quiet_rounds for latency in timed)
    if disturbed > rounds // 10:
        left_out = all(latency.quiet_rounds >= MIN_ROUNDS for latency in timed)
        say(
            console,
            f"In {disturbed} of {rounds} slices of timed calls the machine ran below its best; "
            + (
                "they are left out." if left_out else "too few are left without them, so all count."
            ),
        )
    unstable = [latency for latency in timed if latency.unstable]
    if not unstable:
        return
    spread = max(latency.spread or 0 for latency in unstable)
    causes = benchmark.conditions.causes() if benchmark.conditions else []
    say(
        console,
        f"~ unstable: the medians of the rounds differ by up to {spread:.0%}; "
        f"{'; '.join(causes) or 'cause unknown'}. Rows taken in turns compare; their absolute "
        "times may not repeat.",
    )


def _throughput(benchmark: Benchmark, console: Console) -> None:
    for result in benchmark.results:
        found = result.throughput
        if found is None:
            continue
        if "error" in found:
            say(console, f"{result.variant.name}: no throughput: {found['error']}")
            continue
        how = f"in batches of {found['batch']}"
        if found["calls"] != "batched":
            how = f"{found['calls']}, its batch is fixed"
        speed = f"{found['images_per_second']:,.0f} {benchmark.measure.examples}/s"
        say(console, f"{result.variant.name}: {speed} {how}")


def _profiles(benchmark: Benchmark, console: Console) -> None:
    profiled = [result for result in benchmark.results if result.profile is not None]
    if not profiled:
        return
    say(
        console,
        "Time per operator by the runtime's own profiler, µs a call. LiteRT's delegate rounds each "
        "call down to whole µs; ONNX Runtime's profiler adds 2 to 3 µs to every node.",
    )
    for result in profiled:
        found = result.profile or {}
        say(console, f"{result.variant.name}{': ' + found['error'] if 'error' in found else ''}")
        for operator in found.get("operators", ()):
            mean = f"{operator['mean_us']:.1f}" if operator["mean_us"] >= 0.05 else "<1"
            name = f"{operator['name']} ({operator['source']})"
            say(console, f"  {mean:>8}  {name}")


def say(console: Console, text: str) -> None:
    """Prints a paragraph as it is; wrapped in a terminal only."""
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
