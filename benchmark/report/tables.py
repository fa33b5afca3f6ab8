"""The reports for programs and for GitHub: CSV and Markdown. Light."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark.judge.metrics import MISSING, measure_of
from benchmark.report.others import OTHER_COLUMNS, other_rows
from benchmark.report.text import (
    EMULATED,
    Json,
    best_passing,
    cells,
    columns,
    drop_of,
    facts,
    is_emulated,
    number,
    p50,
    value_of,
)

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet runs a cell that starts with these
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&#!])")
PERCENTILES = ("p50", "p90", "p99", "p999")


def csv_text(content: Json) -> str:
    """Returns a flat line for each row, figures in full precision, what is missing empty."""
    lines = [dict(_columns(row, emulated=is_emulated(content))) for row in content["results"]]
    text = io.StringIO()
    names = max(lines, key=len)  # a row that was not measured has no other outputs
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _columns(row: Json, *, emulated: bool) -> Iterator[tuple[str, Any]]:
    for name in ("name", "format", "runtime", "mode"):
        yield name, _cell(row[name])
    yield "threads", row["threads"]
    yield "verdict", row["verdict"]
    yield "size_bytes", row["size_bytes"]
    yield "gzip_bytes", row["gzip_bytes"]
    for name in ("correct", "total", "lost", "gained"):
        yield f"{name}_images", row[name]
    yield "accuracy_share", row["accuracy"]
    yield from _ends("accuracy_ci95_share", row["accuracy_ci95"])
    yield "drop_vs_source_share", row["drop_vs_source"]
    yield from _ends("drop_ci95_share", row["drop_ci95"])
    yield "delta_vs_baseline_share", row["delta_vs_baseline"]
    yield "mcnemar_p", row["mcnemar_p"]
    yield "ece_share", row["ece"]
    scores, distance, latency = row.get("scores"), row["distance"] or {}, row["latency_us"] or {}
    yield "metric", scores and scores["metric"]
    yield "metric_value", value_of(row)
    yield "metric_source_value", scores and scores["source_value"]
    yield "metric_drop_share", scores and scores["drop"]
    yield from _ends("metric_drop_ci95_share", drop_of(row))
    yield "agreement_share", distance.get("agreement")
    yield "snr_db", distance.get("snr_db")
    yield "latency_samples", latency.get("samples")
    for name in PERCENTILES:
        yield f"latency_{name}_us", latency.get(name)
        yield from _ends(f"latency_{name}_ci95_us", latency.get(f"{name}_ci95"))
    for name in ("mean", "min", "max"):
        yield f"latency_{name}_us", latency.get(name)
    yield "latency_spread_share", latency.get("spread")
    for name in (
        *("start_to_first_result_ms", "load_ms", "first_inference_us"),
        *("peak_rss_bytes", "peak_rss_over_empty_bytes"),
    ):
        yield name, row[name]
    yield "throughput_images_per_second", (row["throughput"] or {}).get("images_per_second")
    for output, found in row.get("outputs", {}).items():
        of_it = found["scores"]
        yield f"output_{output}_metric", of_it["metric"]
        yield f"output_{output}_value", of_it["value"]
        yield f"output_{output}_drop_share", of_it["drop"]
        yield from _ends(f"output_{output}_drop_ci95_share", of_it["drop_ci95"])
        yield f"output_{output}_verdict", found["verdict"]
    yield "emulated", emulated
    yield "reasons", _cell("; ".join(row["reasons"]))
    yield "explanations", _cell("; ".join(row.get("explanations", ())))


def _ends(name: str, ends: Sequence[float | None] | None) -> Iterator[tuple[str, float | None]]:
    low, high = ends or (None, None)
    yield f"{name}_low", low
    yield f"{name}_high", high


def _cell(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(FORMULA) else text


def markdown_text(content: Json) -> str:
    """Returns the table with its legend, the recommendation and every reason."""
    rows, measure = content["results"], measure_of(content)
    meanings = columns(measure)
    lines = ["# Benchmark of the exports", ""]
    if is_emulated(content):
        lines += [f"**{escaped(EMULATED)}**", ""]
    if recommended := content.get("recommendation"):
        lines += [f"**{escaped(recommended['name'])}**: {escaped(recommended['reason'])}", ""]
    lines += [
        f"| {' | '.join(('format', *meanings, 'verdict'))} |",
        f"|---{'|--:' * len(meanings)}|---|",
    ]
    lines += [
        f"| {' | '.join(map(escaped, (row['name'], *cells(row, measure), row['verdict'])))} |"
        for row in rows
    ]
    lines += ["", *(f"- {name}: {meaning}" for name, meaning in meanings.items()), ""]
    if others := other_rows(rows):
        lines += [
            f"The table is of output {escaped(measure.output)}; the others:",
            "",
            f"| {' | '.join(OTHER_COLUMNS)} |",
            f"|---|---|---{'|--:' * (len(OTHER_COLUMNS) - 4)}|---|",
            *(f"| {' | '.join(map(escaped, found))} |" for found in others),
            "",
        ]
    lines += [f"- {words}: {escaped(text)}" for words, text in _best(content)]
    lines += [f"- {title}: {escaped(text)}" for title, text in facts(content).items()]
    said = [
        f"- {escaped(row['name'])}: {row['verdict']}: {escaped(reason)}"
        for row in rows
        for reason in row["reasons"]
    ]
    said += [
        f"- {escaped(row['name'])}: {escaped(text)}"
        for row in rows
        for text in row.get("explanations", ())
    ]
    if said:
        lines += ["", "## Reasons", "", *said]
    return "\n".join(lines) + "\n"


def _best(content: Json) -> Iterator[tuple[str, str]]:
    fastest, smallest = best_passing(content["results"])
    if fastest and smallest:
        if not is_emulated(content):
            yield "fastest passing", f"{fastest['name']}, {number(p50(fastest), 1)} µs"
        yield (
            "smallest passing",
            f"{smallest['name']}, {number(smallest['size_bytes'], 1, 1e-3)} kB",
        )


def escaped(text: str) -> str:
    """Returns text as one line that Markdown shows as it is."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split())) or MISSING
