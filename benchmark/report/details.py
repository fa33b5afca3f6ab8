"""Renders what the main table has no room for: `python -m benchmark --details`. Light."""

from rich import box
from rich.table import Table

from benchmark.judge.rows import Result
from benchmark.judge.statistics import mcnemar_p

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


def details_table(results: tuple[Result, ...]) -> Table:
    """Returns a table with a row for each result that was measured."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("format", overflow="fold")
    classes = _has_classes(results)
    for column in (*COLUMNS, *OF_CLASSES * classes):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        if result.scalars is not None:
            cells = [*_startup(result.scalars), *_latency(result), *_accuracy(result) * classes]
            table.add_row(result.variant.name, *cells)
    return table


def details_legend(results: tuple[Result, ...]) -> str:
    """Returns what the columns mean."""
    return f"{LEGEND}{LEGEND_OF_CLASSES * _has_classes(results)}."


def _has_classes(results: tuple[Result, ...]) -> bool:
    return any(result.accuracy is not None for result in results)


def _startup(scalars: dict[str, float]) -> list[str]:
    return [
        f"{scalars['start_to_first_result_ms']:,.0f}",
        f"{scalars['load_ms']:.1f}",
        f"{scalars['first_inference_us']:,.0f}",
        f"{scalars['peak_rss_over_empty_bytes'] / 1e6:.1f}",
    ]


def _latency(result: Result) -> list[str]:
    found = result.latency
    if found is None or found.p50 is None:
        return ["–"] * 3
    low, high = found.p50_ci95
    half = "–" if low is None or high is None else f"{(high - low) / 2 / found.p50:.1%}"
    return [
        "–" if value is None else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
        for value in (found.p90, found.p999)
    ] + [half]


def _accuracy(result: Result) -> list[str]:
    found = result.accuracy
    if found is None:
        return ["–"] * 4
    ece, before = found.ece, found.source_ece
    overall, worst = found.overall, found.classes[found.worst_class]
    return [
        "–" if ece is None else f"{ece * 100:.1f}",
        "–" if ece is None or before is None else f"{(ece - before) * 100:+.1f}",
        f"{mcnemar_p(overall.lost, overall.gained):.2g}",
        f"{worst.drop * 100:.1f}",
    ]
