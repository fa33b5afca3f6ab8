"""Renders results as a table in the terminal, plain when piped."""

from rich import box
from rich.console import Console
from rich.table import Table

from benchmark.gate import Gate
from benchmark.pipeline import Benchmark, Result
from train.environment import Environment

COLUMNS = ("size kB", "acc %", "Δ pts", "agree %", "p50 µs", "p90", "p99", "verdict")
STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "red"}


def render(benchmark: Benchmark, gate: Gate, environment: Environment, console: Console) -> None:
    """Prints the table, what its columns mean, the reasons, the fastest and the smallest."""
    passing = [result for result in benchmark.results if result.verdict == "pass"]
    fastest = min(passing, key=_p50, default=None)
    smallest = min(passing, key=_size, default=None)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("format", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for result in benchmark.results:
        marks = "*" * (result is fastest) + "†" * (result is smallest)
        verdict = f"[{STYLES[result.verdict]}]{result.verdict}[/]"
        table.add_row(result.format, *_cells(result, gate), f"{verdict} {marks}".rstrip())
    console.print(table)
    _line(
        console,
        f"{benchmark.total:,} test images; Δ against the baseline {gate.baseline:.2%}; agree: "
        f"same class as the Keras model, whose accuracy is {benchmark.source_accuracy:.2%}; "
        "one image a call.",
    )
    _line(console, f"{environment.cpu}, {environment.cores} cores, {environment.architecture}")
    if fastest is not None and smallest is not None:
        _line(console, f"* fastest passing: {fastest.format}")
        _line(console, f"† smallest passing: {smallest.format}")
    for result in benchmark.results:
        for reason in result.reasons:
            _line(console, f"{result.format}: {result.verdict}: {reason}")


def _cells(result: Result, gate: Gate) -> list[str]:
    size = "–" if result.size_bytes is None else f"{result.size_bytes / 1000:,.0f}"
    found, latency = result.accuracy, result.latency
    if found is None or latency is None:
        return [size, *["–"] * 6]
    return [
        size,
        f"{found.accuracy * 100:.2f}",
        f"{(found.accuracy - gate.baseline) * 100:+.2f}",
        f"{found.agreement * 100:.2f}",
        *("–" if value is None else f"{value:.1f}" for value in (latency.p50, latency.p90)),
        "–" if latency.p99 is None else f"{latency.p99:.1f}",
    ]


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def _p50(result: Result) -> float:
    if result.latency is None or result.latency.p50 is None:
        return float("inf")
    return result.latency.p50


def _size(result: Result) -> float:
    return float("inf") if result.size_bytes is None else result.size_bytes
