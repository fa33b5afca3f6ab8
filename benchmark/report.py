"""Renders results as a table in the terminal, plain when piped."""

from rich import box
from rich.console import Console
from rich.table import Table

from benchmark.gate import Gate
from benchmark.pipeline import Benchmark, Result
from train.environment import Environment

COLUMNS = ("kB", "gzip", "acc %", "Δ pts", "agree", "p50", "p90", "p99", "verdict")
STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "red"}


def render(benchmark: Benchmark, gate: Gate, environment: Environment, console: Console) -> None:
    """Prints the table, what its columns mean, the reasons, the fastest and the smallest."""
    passing = [result for result in benchmark.results if result.verdict == "pass"]
    fastest = min(passing, key=_p50, default=None)
    smallest = min(passing, key=_size, default=None)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("format", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for result in benchmark.results:
        marks = "*" * (result is fastest) + "†" * (result is smallest)
        verdict = f"[{STYLES[result.verdict]}]{result.verdict}[/]"
        table.add_row(result.format, *_cells(result, gate), f"{verdict}{marks}")
    console.print(table)
    _line(
        console,
        f"{benchmark.total:,} test images; acc: accuracy; Δ: against the baseline "
        f"{gate.baseline:.2%}; agree: % in the same class as by the Keras model, whose accuracy is "
        f"{benchmark.source_accuracy:.2%}; p50, p90, p99: µs for one image.",
    )
    features = ", ".join(environment.cpu_features)
    _line(console, f"{environment.cpu}, {environment.cores} cores, {environment.architecture}")
    _line(console, features)
    if fastest is not None and smallest is not None:
        _line(console, f"* fastest passing: {fastest.format}")
        _line(console, f"† smallest passing: {smallest.format}")
    for result in benchmark.results:
        for reason in result.reasons:
            _line(console, f"{result.format}: {result.verdict}: {reason}")


def _cells(result: Result, gate: Gate) -> list[str]:
    sizes = [
        "–" if size is None else f"{size / 1000:.0f}"
        for size in (result.size_bytes, result.gzip_bytes)
    ]
    found, latency = result.accuracy, result.latency
    if found is None or latency is None:
        return [*sizes, *["–"] * 6]
    return [
        *sizes,
        f"{found.accuracy * 100:.2f}",
        f"{(found.accuracy - gate.baseline) * 100:+.2f}",
        f"{found.agreement * 100:.1f}",
        *map(_microseconds, (latency.p50, latency.p90, latency.p99)),
    ]


def _microseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def _p50(result: Result) -> float:
    if result.latency is None or result.latency.p50 is None:
        return float("inf")
    return result.latency.p50


def _size(result: Result) -> float:
    return float("inf") if result.size_bytes is None else result.size_bytes
