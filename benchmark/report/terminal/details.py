"""What the main table has no room for: `--details`, `--batch` and `--profile`."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from benchmark.judge.scoring.metrics import MISSING
from benchmark.report.figures import number
from benchmark.report.terminal.console import plain_table
from benchmark.results.row import Row
from benchmark.results.run import Run

COLUMNS = ("start", "load", "first", "MB", "p90", "p99.9", "± p50")
OF_CLASSES = ("ECE", "Δ ECE", "McNemar", "worst")
LEGEND = (
    "start: ms from a process's start to its first result; load: ms; first: µs of the first "
    "inference; MB: peak memory over an empty runtime's; ± p50: half the 95 % interval over p50"
)
LEGEND_OF_CLASSES = (
    "; ECE: expected calibration error in %, Δ against the Keras model's; McNemar: p that as much "
    "was lost as gained; worst: largest drop in points of any class"
)
PROFILE_LEGEND = (
    "Time per operator by the runtime's own profiler, µs per call. LiteRT's delegate rounds each "
    "call down to whole µs; ONNX Runtime's profiler adds 2 to 3 µs to every node."
)


def details_table(rows: Sequence[Row]) -> Table:
    """Returns a table with a row for each one that was measured."""
    classes = _has_classes(rows)
    table = plain_table("format", (*COLUMNS, *OF_CLASSES * classes))
    for row in rows:
        if row.latency_us is not None:
            cells = [*_startup(row), *_latency(row), *_accuracy(row) * classes]
            table.add_row(row.name, *cells)
    return table


def details_legend(rows: Sequence[Row]) -> str:
    """Returns what the columns mean."""
    return f"{LEGEND}{LEGEND_OF_CLASSES * _has_classes(rows)}."


def _has_classes(rows: Sequence[Row]) -> bool:
    return any(row.accuracy is not None for row in rows)


def _startup(row: Row) -> list[str]:
    return [
        number(row.start_to_first_result_ms, 0),
        number(row.load_ms, 1),
        number(row.first_inference_us, 0),
        number(row.peak_rss_over_empty_bytes, 1, 1e-6),
    ]


def _latency(row: Row) -> list[str]:
    found = row.latency_us
    if found is None or found.p50 is None:
        return [MISSING] * 3
    low, high = found.p50_ci95
    half = MISSING if low is None or high is None else f"{(high - low) / 2 / found.p50:.1%}"
    tails = [
        number(value, 1 if value is not None and value < 99.95 else 0)
        for value in (found.p90, found.p999)
    ]
    return [*tails, half]


def _accuracy(row: Row) -> list[str]:
    more = None if row.ece is None or row.source_ece is None else row.ece - row.source_ece
    return [
        number(row.ece, 1, 100),
        MISSING if more is None else f"{more * 100:+.1f}",
        MISSING if row.mcnemar_p is None else f"{row.mcnemar_p:.2g}",
        number(row.worst_class_drop, 1, 100),
    ]


def throughputs(run: Run) -> Iterator[str]:
    """Yields a line for each row whose throughput was asked for."""
    for row in run.results:
        found = row.throughput
        if found is None:
            continue
        if found.error is not None:
            yield f"{row.name}: no throughput: {found.error}"
            continue
        how = f"in batches of {found.batch}"
        if found.calls != "batched":
            how = f"{found.calls}, its batch is fixed"
        yield f"{row.name}: {found.images_per_second:,.0f} {run.measure.examples}/s {how}"


def profiles(run: Run) -> Iterator[str]:
    """Yields the operators' times of each row that was profiled."""
    profiled = [(row.name, row.profile) for row in run.results if row.profile]
    if profiled:
        yield PROFILE_LEGEND
    for name, found in profiled:
        yield f"{name}: {found.error}" if found.error else name
        for operator in found.operators:
            mean = f"{operator.mean_us:.1f}" if operator.mean_us >= 0.05 else "<1"
            yield f"  {mean:>8}  {operator.name} ({operator.source})"
