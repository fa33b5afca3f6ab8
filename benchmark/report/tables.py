"""The reports for programs and for GitHub: CSV and Markdown."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

from benchmark.judge.scoring.metrics import MISSING, NOTATIONS
from benchmark.report.figures import interval, microseconds, number
from benchmark.report.text import EMULATED, cells, columns, facts
from benchmark.results.row import NpuEstimate, Row, Scores
from benchmark.results.run import Recommended, Run

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet runs a cell that starts with these
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&#!])")
PERCENTILES = ("p50", "p90", "p99", "p999")
OTHER_COLUMNS = ("format", "output", "metric", "value", "Keras", "drop 95 %", "verdict")
OTHER_LEGEND = (
    "value, Keras: of the export and of the Keras model; drop: points lost against the Keras model "
    "(of MAE and RMSE: % by which they are larger), 95 % interval."
)


NPU_COLUMNS = ("compiled from", "NPU", "flash kB", "DRAM kB", "SRAM kB", "est. µs", "on CPU")


def npu_title(run: Run) -> str:
    """Returns what stands over the estimates of NPUs."""
    by = ", ".join(dict.fromkeys(found.by for found in run.npu if found.by))
    return f"On Arm's NPUs, as {by or 'the compiler'} estimates it; nothing of this was run:"


def npu_table(run: Run) -> list[tuple[str, ...]]:
    """Returns the headings and the cells of each estimate; a memory that none takes is left out."""
    rows = [
        (found.format or found.name, found.npu or MISSING, *_npu_figures(found), _on_cpu(found))
        for found in run.npu
    ]
    used = [not all(row[place] == MISSING for row in rows) for place in range(len(NPU_COLUMNS))]
    return [tuple(compress(row, used)) for row in (NPU_COLUMNS, *rows)]


def _npu_figures(found: NpuEstimate) -> tuple[str, ...]:
    sizes = (found.flash_bytes, found.dram_bytes, found.sram_bytes)
    return (
        *(number(size or None, 1, 1e-3) for size in sizes),
        microseconds(found.inference_us, unstable=False),
    )


def _on_cpu(found: NpuEstimate) -> str:
    if found.problem:
        return found.problem
    left = [f"{each.count} {each.operator} ({each.reason})" for each in found.on_cpu]
    return "; ".join(left) or "nothing"


def csv_text(run: Run) -> str:
    """Returns a flat line for each row, figures in full precision, what is missing empty."""
    lines = [dict(_columns(row, emulated=run.environment.emulated)) for row in run.results]
    text = io.StringIO()
    names = max(lines, key=len)  # a row that was not measured has no other outputs
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _columns(row: Row, *, emulated: bool) -> Iterator[tuple[str, Any]]:
    for name in ("name", "format", "runtime", "mode", "browser"):
        yield name, _cell(getattr(row, name))
    for name in ("threads", "verdict", "size_bytes", "gzip_bytes"):
        yield name, getattr(row, name)
    for name in ("correct", "total", "lost", "gained"):
        yield f"{name}_images", getattr(row, name)
    yield "accuracy_share", row.accuracy
    yield from _ends("accuracy_ci95_share", row.accuracy_ci95)
    yield "drop_vs_source_share", row.drop_vs_source
    yield from _ends("drop_ci95_share", row.drop_ci95)
    yield "delta_vs_baseline_share", row.delta_vs_baseline
    yield "mcnemar_p", row.mcnemar_p
    yield "ece_share", row.ece
    yield "metric", row.scores and row.scores.metric
    yield "metric_value", row.value
    yield "metric_source_value", row.scores and row.scores.source_value
    yield "metric_drop_share", row.scores and row.scores.drop
    yield from _ends("metric_drop_ci95_share", row.loss_ci95)
    yield "agreement_share", row.agreement
    yield "snr_db", row.snr_db
    yield "centred_snr_db", row.centred_snr_db
    latency = row.latency_us
    yield "latency_samples", latency and latency.samples
    for name in PERCENTILES:
        yield f"latency_{name}_us", getattr(latency, name, None)
        yield from _ends(f"latency_{name}_ci95_us", getattr(latency, f"{name}_ci95", None))
    for name in ("mean", "min", "max"):
        yield f"latency_{name}_us", getattr(latency, name, None)
    yield "latency_spread_share", latency and latency.spread
    for name in (
        *("start_to_first_result_ms", "load_ms", "first_inference_us"),
        *("peak_rss_bytes", "peak_rss_over_empty_bytes"),
    ):
        yield name, getattr(row, name)
    speed = row.throughput
    yield (
        "throughput_images_per_second",
        speed.images_per_second if speed and speed.error is None else None,
    )
    for output, found in row.outputs.items():
        yield f"output_{output}_metric", found.scores.metric
        yield f"output_{output}_value", found.scores.value
        yield f"output_{output}_drop_share", found.scores.drop
        yield from _ends(f"output_{output}_drop_ci95_share", found.scores.drop_ci95)
        yield f"output_{output}_verdict", found.verdict
    yield "emulated", emulated
    yield "reasons", _cell("; ".join(row.reasons))
    yield "explanations", _cell("; ".join(row.explanations))


def _ends(name: str, ends: Sequence[float | None] | None) -> Iterator[tuple[str, float | None]]:
    low, high = ends or (None, None)
    yield f"{name}_low", low
    yield f"{name}_high", high


def _cell(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(FORMULA) else text


def markdown_text(run: Run) -> str:
    """Returns the table with its legend, the recommendation and every reason."""
    rows, measure = run.results, run.measure
    lines = ["# Benchmark of the exports", ""]
    if run.environment.emulated:
        lines += [f"**{escaped(EMULATED)}**", ""]
    for found in run.recommendations:
        lines += [f"**{escaped(found.name)}**: {escaped(_advice(found))}", ""]
    lines += table_lines(run)
    lines += ["", *(f"- {name}: {meaning}" for name, meaning in columns(measure).items()), ""]
    if others := other_rows(rows):
        lines += [
            f"The table is of output {escaped(measure.output)}; the others:",
            "",
            f"| {' | '.join(OTHER_COLUMNS)} |",
            f"|---|---|---{'|--:' * (len(OTHER_COLUMNS) - 4)}|---|",
            *(f"| {' | '.join(map(escaped, line))} |" for line in others),
            "",
        ]
    if run.npu:
        headings, *estimates = npu_table(run)
        lines += [
            escaped(npu_title(run)),
            "",
            f"| {' | '.join(headings)} |",
            f"|---|---{'|--:' * (len(headings) - 3)}|---|",
            *(f"| {' | '.join(map(escaped, line))} |" for line in estimates),
            "",
        ]
    lines += [f"- {title}: {escaped(text)}" for title, text in facts(run).items()]
    said = [
        f"- {escaped(row.name)}: {row.verdict}: {escaped(reason)}"
        for row in rows
        for reason in row.reasons
    ]
    said += [f"- {escaped(text)}" for text in run.explanations]
    if said:
        lines += ["", "## Reasons", "", *said]
    return "\n".join(lines) + "\n"


def table_lines(run: Run) -> list[str]:
    """Returns the table of the rows as lines of Markdown."""
    meanings = columns(run.measure)
    return [
        f"| {' | '.join(('format', *meanings, 'verdict'))} |",
        f"|---{'|--:' * len(meanings)}|---|",
        *(
            f"| {' | '.join(map(escaped, (row.name, *cells(row, run.measure), row.verdict)))} |"
            for row in run.results
        ),
    ]


def _advice(found: Recommended) -> str:
    return ". ".join(filter(None, (found.reason, found.runner_up)))


def escaped(text: str) -> str:
    """Returns text as one line that Markdown shows as it is."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split())) or MISSING


def other_rows(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Returns the cells of `OTHER_COLUMNS`, a tuple for each row and further output of it."""
    return [
        (row.name, name, *_figures(found.scores), found.verdict)
        for row in rows
        for name, found in row.outputs.items()
    ]


def _figures(scores: Scores) -> tuple[str, ...]:
    notation = NOTATIONS[scores.metric]
    of = " of the Keras model's outputs" if scores.task == "outputs" else ""
    return (
        f"{notation.name}{of}",
        notation.figure(scores.value),
        notation.figure(scores.source_value),
        interval(scores.drop_ci95, 2, 100),
    )
