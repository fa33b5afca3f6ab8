"""Renders results as a table in the terminal, plain when piped."""

from rich import box
from rich.console import Console
from rich.table import Table

from benchmark.advice import advice, marks
from benchmark.details import LEGEND, details_table
from benchmark.gate import Gate
from benchmark.latency import MIN_ROUNDS
from benchmark.pipeline import Benchmark
from benchmark.results import Result
from benchmark.statistics import paired_drop_interval
from benchmark.subjects import KERAS
from train.environment import Environment

COLUMNS = ("kB", "gzip", "acc %", "drop 95 %", "agree", "p50", "p99", "verdict")
STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "red"}
SHORT = {"inconclusive": "inconcl."}


def render(
    benchmark: Benchmark,
    gate: Gate,
    environment: Environment,
    console: Console,
    *,
    details: bool = False,
) -> None:
    """Prints the table, what its columns mean, what is recommended, and the reasons.

    Args:
        benchmark: what was found.
        gate: the limits of the verdict.
        environment: the machine.
        console: where to.
        details: whether to print a second table, of start-up, memory, tails and classes.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("format", overflow="fold")  # the one to give way in a narrow terminal
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for result in benchmark.results:
        verdict = SHORT.get(result.verdict, result.verdict)
        marked = marks(result.subject.name, benchmark.recommendation)
        shown = f"[{STYLES[result.verdict]}]{verdict}[/]{marked}"
        table.add_row(result.subject.name, *_cells(result), shown)
    console.print(table)
    if details:
        console.print(details_table(benchmark.results))
        _line(console, LEGEND)
    _legend(benchmark, gate, environment, console)
    for line in advice(benchmark):
        _line(console, line)
    _unstable(benchmark, console)
    _throughput(benchmark, console)
    _profiles(benchmark, console)
    for result in benchmark.results:
        for reason in result.reasons:
            _line(console, f"{result.subject.name}: {result.verdict}: {reason}")


def _legend(benchmark: Benchmark, gate: Gate, environment: Environment, console: Console) -> None:
    source = "no labels: judged by outputs"
    if benchmark.source_accuracy is not None:
        source = (
            f"the Keras model's accuracy is {benchmark.source_accuracy:.2%}, the baseline "
            f"{gate.baseline:.2%}, the tolerance {gate.tolerance * 100:.2f} points"
        )
        if gate.max_drop is not None:
            source += f", the largest drop {gate.max_drop * 100:.2f}"
    _line(
        console,
        f"{benchmark.total:,} test images; {source}. drop: points of accuracy lost against the "
        "Keras model, 95 % interval; agree: % in the same class as by it; p50, p99: µs for one "
        "image.",
    )
    timers = [result.latency.timer for result in benchmark.results if result.latency]
    if timers:
        _line(console, f"Each timing includes {1000 * max(timers):.0f} ns of reading the clock.")
    for result in benchmark.results:
        if result.subject.format == KERAS and result.scalars:
            call = result.scalars["call"]
            _line(console, f"{result.subject.name}: timed by {call}, the faster way")
    _line(console, f"{environment.cpu}, {environment.cores} cores, {environment.architecture}")
    _line(console, ", ".join(environment.cpu_features))


def _unstable(benchmark: Benchmark, console: Console) -> None:
    timed = [r.latency for r in benchmark.results if r.latency is not None]
    rounds = sum(len(latency.rounds_p50) for latency in timed)
    disturbed = rounds - sum(latency.quiet_rounds for latency in timed)
    if disturbed > rounds // 10:
        left_out = all(latency.quiet_rounds >= MIN_ROUNDS for latency in timed)
        _line(
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
    _line(
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
            _line(console, f"{result.subject.name}: no throughput: {found['error']}")
            continue
        how = f"in batches of {found['batch']}"
        if found["calls"] != "batched":
            how = f"{found['calls']}, its batch is fixed"
        _line(console, f"{result.subject.name}: {found['images_per_second']:,.0f} images/s {how}")


def _profiles(benchmark: Benchmark, console: Console) -> None:
    profiled = [result for result in benchmark.results if result.profile is not None]
    if not profiled:
        return
    _line(
        console,
        "Time per operator by the runtime's own profiler, µs a call. LiteRT's delegate rounds each "
        "call down to whole µs; ONNX Runtime's profiler adds 2 to 3 µs to every node.",
    )
    for result in profiled:
        found = result.profile or {}
        _line(console, f"{result.subject.name}{': ' + found['error'] if 'error' in found else ''}")
        for operator in found.get("operators", ()):
            mean = f"{operator['mean_us']:.1f}" if operator["mean_us"] >= 0.05 else "<1"
            name = f"{operator['name']} ({operator['source']})"
            _line(console, f"  {mean:>8}  {name}")


def _cells(result: Result) -> list[str]:
    sizes = [
        "–" if size is None else f"{size / 1000:.0f}"
        for size in (result.size_bytes, result.gzip_bytes)
    ]
    found, latency = result.accuracy, result.latency
    if latency is None or result.distance is None:
        return [*sizes, *["–"] * 5]
    accuracy = drop = "–"
    if found is not None:
        overall = found.overall
        accuracy = f"{overall.accuracy * 100:.2f}"
        interval = paired_drop_interval(overall.lost, overall.gained, overall.total)
        # adding zero makes -0.0 a plain zero
        drop = "…".join(f"{round(end * 100, 2) + 0:.2f}" for end in interval or ())
    return [
        *sizes,
        accuracy,
        drop,
        f"{result.distance.agreement * 100:.1f}",
        _microseconds(latency.p50, unstable=latency.unstable),
        _microseconds(latency.p99, unstable=False),
    ]


def _microseconds(value: float | None, *, unstable: bool) -> str:
    """At most four characters, five where `~` marks it: 3.2, 94.7, 161, 1.2k, 12k."""
    if value is None:
        return "–"
    if value >= 1_000:
        shown = f"{value / 1_000:.1f}k" if value < 9_950 else f"{value / 1_000:,.0f}k"
    else:
        shown = f"{value:.1f}" if value < (9.95 if unstable else 99.95) else f"{value:,.0f}"
    return f"~{shown}" if unstable else shown


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
