"""What every report says of a row and of the run, from the content of `benchmark.json`. Light."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.judge.metrics import MISSING, Measure, measure_of
from benchmark.measure.conditions import Conditions
from benchmark.measure.variants import KERAS

Json = Mapping[str, Any]
MAX_NAME = 48  # characters
# What is said wherever latencies of an emulated machine are shown.
EMULATED = "emulated: every time is the emulator's, no processor's; compare none of them"
RUNTIMES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime", KERAS: "Keras"}


def columns(measure: Measure) -> dict[str, str]:
    """Returns the columns between a row's name and its verdict, and what each means."""
    notation, examples = measure.notation, measure.examples
    same_class = ("agree", f"% of the {examples} in the same class as by the Keras model")
    noise = ("SNR dB", "signal-to-noise ratio against the Keras model's outputs, decibels")
    against_keras = not measure.labelled and not measure.classes
    truth = "of the Keras model's outputs" if against_keras else f"on the test {examples}"
    return {
        "kB": "size of the file, units of 1000 bytes",
        "gzip": "the same, compressed",
        notation.column: f"{notation.name} {truth}",
        "drop 95 %": notation.drop_meaning,
        **dict([same_class if measure.classes else noise]),
        "p50": "median time of one inference, µs",
        "p99": "99th percentile of it, µs",
    }


def cells(row: Json, measure: Measure) -> list[str]:
    """Returns the figures of a row in the order of `columns`, short enough for a terminal."""
    latency, distance = row["latency_us"], row["distance"]
    sizes = [number(row[name], 0, 1e-3).replace(",", "") for name in ("size_bytes", "gzip_bytes")]
    if latency is None or distance is None:
        return [*sizes, *[MISSING] * 5]
    value, ends = (None, None) if measure.agrees else (value_of(row), drop_of(row))
    near = number(distance["agreement"], 1, 100)
    if not measure.classes:
        near = number(distance["snr_db"], 1)
    return [
        *sizes,
        measure.notation.figure(value),
        interval(ends, 2, 100),
        near,
        microseconds(latency["p50"], unstable=latency["unstable"]),
        microseconds(latency["p99"], unstable=False),
    ]


def value_of(row: Json) -> float | None:
    """Returns the value of the metric that judges a row; earlier files know the accuracy only."""
    scores = row.get("scores")
    found: float | None = row["accuracy"] if scores is None else scores["value"]
    return found


def drop_of(row: Json) -> Sequence[float] | None:
    """Returns the 95 % interval of what a row loses in that metric."""
    scores = row.get("scores")
    found: Sequence[float] | None = row["drop_ci95"] if scores is None else scores["drop_ci95"]
    return found


def number(value: float | None, digits: int, scale: float = 1) -> str:
    """Returns a figure times `scale` with so many decimals; a dash for None."""
    # adding zero makes -0.0 a plain zero
    return MISSING if value is None else f"{round(value * scale, digits) + 0:,.{digits}f}"


def interval(ends: Sequence[float] | None, digits: int, scale: float = 1) -> str:
    """Returns an interval's ends times `scale`; a dash for None."""
    return MISSING if ends is None else "…".join(number(end, digits, scale) for end in ends)


def microseconds(value: float | None, *, unstable: bool) -> str:
    """At most four characters, five where `~` marks it: 3.2, 94.7, 161, 1.2k, 12k."""
    if value is None:
        return MISSING
    if value >= 1_000:
        shown = f"{value / 1_000:.1f}k" if value < 9_950 else f"{value / 1_000:,.0f}k"
    else:
        shown = f"{value:.1f}" if value < (9.95 if unstable else 99.95) else f"{value:,.0f}"
    return f"~{shown}" if unstable else shown


def short(name: str) -> str:
    """Returns a row's name as a chart has room for it."""
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def p50(row: Json) -> float | None:
    """Returns a row's median latency in microseconds, if there is one."""
    latency = row["latency_us"]
    return None if latency is None else latency["p50"]


def best_passing(rows: Sequence[Json]) -> tuple[Json | None, Json | None]:
    """Returns the fastest and the smallest export that passes; None if none does."""
    passing = [row for row in rows if row["verdict"] == "pass" and row["format"] != KERAS]
    return (
        min(passing, key=lambda row: p50(row) or math.inf, default=None),
        min(passing, key=lambda row: row["size_bytes"], default=None),
    )


def is_emulated(content: Json) -> bool:
    """Returns whether the machine was an emulated one; earlier results do not say, and were not."""
    return bool(content["environment"].get("emulated", False))


def pareto_names(content: Json) -> set[str]:
    """Returns the names of the rows of the Pareto set, as the recommendation has it."""
    return set((content["recommendation"] or {"pareto": ()})["pareto"])


def quality(row: Json, measure: Measure) -> float:
    """Returns what a chart shows of a measured row: its metric, or its agreement with Keras."""
    found = row["distance"]["agreement"] if measure.agrees else value_of(row)
    return math.nan if found is None else float(found)


def total_of(content: Json) -> int:
    """Returns how many test examples there were; earlier files have the classes of all."""
    total = content["data"].get("total")
    return len(content["source"]["predicted"]) if total is None else int(total)


def verdict_counts(rows: Sequence[Json]) -> dict[str, int]:
    """Returns how many rows have each verdict, those that there are."""
    counts = Counter(row["verdict"] for row in rows)
    return {
        name: counts[name] for name in ("pass", "inconclusive", "fail", "error") if counts[name]
    }


def facts(content: Json) -> dict[str, str]:
    """Returns what was measured, against what, when, on what and with what, by title."""
    settings, machine, source = content["settings"], content["environment"], content["source"]
    rows, measure = content["results"], measure_of(content)
    timed = max((sum(map(len, row["rounds_ns"])) for row in rows), default=0)
    found = {
        "measured": f"{len(rows)} rows: each "
        f"{'classified' if measure.classes else 'computed'} {total_of(content):,} test "
        f"{measure.examples} one by one, then ran up to {timed:,} timed single "
        "inferences, in turns with the others",
        "Keras model": f"SHA-256 {source['sha256'][:12]}…, "
        + (
            f"{measure.notation.name} {measure.notation.said(measure.source_value)}"
            if measure.labelled
            else "data without labels: judged by outputs"
        ),
        "limits": "; ".join(_limits(settings, measure)),
        "machine": f"{machine['cpu']}, {machine['cores']} cores, {machine['architecture']}, "
        f"{machine['memory_bytes'] / 1e9:.1f} GB"
        + "".join(f", {name}" for name in machine["cpu_features"])
        + (f"; {EMULATED}" if is_emulated(content) else ""),
        "software": ", ".join(
            (
                machine["system"],
                f"Python {machine['python']}",
                *(f"{name} {version}" for name, version in content["versions"].items()),
            )
        ),
        "when": content["created"].replace("T", " ").replace("+00:00", " UTC"),
    }
    disturbances = _disturbances(content)
    return {**found, "disturbances": disturbances} if disturbances else found


def _limits(settings: Json, measure: Measure) -> list[str]:
    baseline, tolerance = settings["baseline"], settings["tolerance"]
    largest = tolerance if settings["max_drop"] is None else settings["max_drop"]
    most = f"{largest * 100:.2f} {measure.notation.unit}"
    found = [f"signal-to-noise ratio at least {settings['min_snr_db']:g} dB"]
    if measure.labelled and baseline is not None:
        found = [
            f"baseline {baseline:.2%}, tolerance {tolerance * 100:.2f} points: accuracy at least "
            f"{baseline - tolerance:.2%}, drop against the Keras model at most {most}"
        ]
    elif measure.labelled:
        found = [f"drop of the {measure.notation.name} against the Keras model at most {most}"]
    for name, what, scale, unit in (
        ("max_drop_per_class", "drop in any class at most", 100, " points"),
        ("min_agreement", "agreement at least", 100, " %"),
        ("max_latency_us", "median latency at most", 1, " µs"),
        ("max_size_kb", "file at most", 1, " kB"),
    ):
        if settings[name] is not None:
            found.append(f"{what} {settings[name] * scale:g}{unit}")
    return found


def _disturbances(content: Json) -> str:
    timed = [row["latency_us"] for row in content["results"] if row["latency_us"]]
    slices = sum(len(latency["rounds_p50"]) for latency in timed)
    disturbed = slices - sum(latency["quiet_rounds"] for latency in timed)
    found = []
    if disturbed:
        found.append(
            f"in {disturbed} of {slices} slices of timed calls the machine ran below its best"
        )
    conditions = content["conditions"]
    if any(latency["unstable"] for latency in timed) and conditions:
        causes = Conditions(**conditions).causes()
        found.append(
            f"~ marks medians that differ between rounds: {'; '.join(causes) or 'unknown'}"
        )
    return "; ".join(found)
