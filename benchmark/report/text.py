"""What every report says of a row and of the run."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from benchmark.judge.scoring.metrics import MISSING, Measure
from benchmark.measure.latency import MIN_ROUNDS
from benchmark.measure.variants import KERAS
from benchmark.report.figures import estimate, microseconds, number
from benchmark.results.row import Row
from benchmark.results.run import Run, Settings

CENTRED_SNR = "centred SNR: what varies from example to example over the noise, in decibels"
MAX_NAME = 48  # characters
# What is said wherever latencies of an emulated machine are shown.
EMULATED = "emulated: every time is the emulator's, no processor's; compare none of them"
RUNTIMES = {
    "litert": "LiteRT",
    "onnxruntime": "ONNX Runtime",
    "litertjs": "LiteRT.js",
    "onnxruntime-web": "ONNX Runtime Web",
    "wasm": "WebAssembly",
    KERAS: "Keras",
}


def columns(measure: Measure) -> dict[str, str]:
    """Returns the columns between a row's name and its verdict, and what each means."""
    notation, examples = measure.notation, measure.examples
    same_class = ("agree", f"% of the {examples} in the same class as by the Keras model")
    if not measure.classes:
        same_class = ("agree", "% of the values that are the Keras model's")
    noise = ("SNR dB", CENTRED_SNR)
    against_keras = not measure.labelled and not measure.near_by_share
    truth = "of the Keras model's outputs" if against_keras else f"on the test {examples}"
    return {
        "kB": "size of the file, units of 1000 bytes",
        "gzip": "the same, compressed",
        notation.column: f"{notation.name} {truth}",
        "drop ±95%": f"{notation.drop_meaning}, as estimate ± half its width; + is worse",
        **dict([same_class if measure.near_by_share else noise]),
        "p50": f"median time for one {examples[:-1]}, µs",
        "p99": "99th percentile of it, µs",
    }


def cells(row: Row, measure: Measure) -> list[str]:
    """Returns the figures of a row in the order of `columns`, short enough for a terminal."""
    sizes = [number(size, 0, 1e-3).replace(",", "") for size in (row.size_bytes, row.gzip_bytes)]
    return [
        *sizes,
        measure.notation.figure(None if measure.agrees else row.value),
        MISSING if measure.agrees else estimate(row.loss, row.loss_ci95),
        number(row.agreement, 1, 100) if measure.near_by_share else number(row.centred_snr_db, 1),
        microseconds(row.p50_us, unstable=row.unstable),
        microseconds(row.p99_us, unstable=False),
    ]


def short(name: str) -> str:
    """Returns a row's name as a chart has room for it."""
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def best_passing(rows: Sequence[Row]) -> tuple[Row | None, Row | None]:
    """Returns the fastest and the smallest export that passes; None if none does."""
    passing = [row for row in rows if row.verdict == "pass" and row.format != KERAS]
    return (
        min(passing, key=lambda row: row.p50_us or math.inf, default=None),
        min(passing, key=lambda row: row.size_bytes or math.inf, default=None),
    )


def pareto_names(run: Run) -> set[str]:
    """Returns the names of this machine's rows of the Pareto set, as the recommendation has it."""
    return set(run.recommendation.pareto if run.recommendation else ())


def quality(row: Row, measure: Measure) -> float:
    """Returns what a chart shows of a measured row: its metric, or its agreement with Keras."""
    found = row.agreement if measure.agrees else row.value
    return math.nan if found is None else found


def verdict_counts(rows: Sequence[Row]) -> dict[str, int]:
    """Returns how many rows have each verdict, those that there are."""
    counts = Counter(row.verdict for row in rows)
    return {
        name: counts[name] for name in ("pass", "inconclusive", "fail", "error") if counts[name]
    }


def facts(run: Run) -> dict[str, str]:
    """Returns what was measured, against what, when, on what and with what, by title."""
    machine, measure, rows = run.environment, run.measure, run.results
    timed = max((sum(map(len, row.rounds_ns)) for row in rows), default=0)
    here = [row.latency_us for row in rows if row.latency_us and row.browser is None]
    clock = max((latency.timer for latency in here), default=None)
    overheads = [
        f"{RUNTIMES.get(name, name)} {number(value, 1)} µs"
        for name, value in run.call_overhead_us.items()
    ]
    found = {
        "measured": f"{len(rows)} rows: each "
        f"{'classified' if measure.classes else 'computed'} {run.total:,} test "
        f"{measure.examples} one by one, then ran up to {timed:,} timed single inferences, in "
        "turns with the others",
        "Keras model": f"SHA-256 {run.source.sha256[:12]}…, "
        + (
            f"{measure.notation.name} {measure.notation.said(measure.source_value)}"
            if measure.labelled
            else "data without labels: judged by outputs"
        ),
        "limits": "; ".join(_limits(run.settings, measure)),
        "a call that computes nothing": ", ".join(overheads),
        "clock": "" if clock is None else f"each time includes {1000 * clock:.0f} ns of reading it",
        "added": ", ".join(row.name for row in rows if row.added)
        and f"{', '.join(row.name for row in rows if row.added)}: files that this toolkit did not "
        "make, judged against the same Keras model",
        "browser": _browser(run),
        "Keras calls": ", ".join(
            f"{row.name} by {row.call}, the faster way"
            for row in rows
            if row.format == KERAS and row.call
        ),
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.architecture}, "
        f"{machine.memory_bytes / 1e9:.1f} GB"
        + "".join(f", {name}" for name in machine.cpu_features)
        + (f"; {EMULATED}" if machine.emulated else ""),
        "software": ", ".join(
            (
                machine.system,
                f"Python {machine.python}",
                *(f"{name} {version}" for name, version in run.versions.items()),
            )
        ),
        "when": run.created.replace("T", " ").replace("+00:00", " UTC"),
        "disturbances": "; ".join(disturbances(run)),
    }
    return {title: text for title, text in found.items() if text}


def _browser(run: Run) -> str:
    """Returns what the browser is, and what its clock can tell; nothing where there is none."""
    found = run.browser
    if found is None:
        return ""
    timed = [row.latency_us for row in run.results if row.browser and row.latency_us]
    most = max((latency.calls_per_sample for latency in timed), default=1)
    tell = f"a time is the mean of up to {most} calls, so tails cannot be told" if most > 1 else ""
    return "; ".join(
        filter(
            None,
            (
                f"{found.name} ({found.version}){'' if found.here else ', on another device'}",
                f"{found.cores} cores",
                f"{found.gpu or 'unnamed'} by WebGPU"
                if found.accelerator == "webgpu"
                else "WebAssembly on one thread",
                f"its clock moves by {found.clock_step_us:.3g} µs",
                tell,
                f"user agent {found.user_agent}",
            ),
        )
    )


def _limits(settings: Settings, measure: Measure) -> Iterator[str]:
    baseline, tolerance, unit = settings.baseline, settings.tolerance, measure.notation.unit
    most = f"{settings.allowed_drop * 100:.2f} {unit}"
    if not measure.labelled:
        yield f"signal-to-noise ratio at least {settings.min_snr_db:g} dB"
    elif baseline is None:
        yield f"drop of the {measure.notation.name} against the Keras model at most {most}"
    else:
        yield (
            f"baseline {baseline:.2%}, tolerance {tolerance * 100:.2f} points: accuracy at least "
            f"{baseline - tolerance:.2%}, drop against the Keras model at most {most}"
        )
    for value, what, scale, of in (
        (settings.max_drop_per_class, "drop in any class at most", 100, " points"),
        (settings.min_agreement, "agreement at least", 100, " %"),
        (settings.max_latency_us, "median latency at most", 1, " µs"),
        (settings.max_size_kb, "file at most", 1, " kB"),
    ):
        if value is not None:
            yield f"{what} {value * scale:g}{of}"


def disturbances(run: Run) -> Iterator[str]:
    """Yields what was wrong with the machine while calls were timed, if anything was."""
    timed = [row.latency_us for row in run.results if row.latency_us]
    slices = sum(len(latency.rounds_p50) for latency in timed)
    disturbed = slices - sum(latency.quiet_rounds for latency in timed)
    if disturbed:
        left_out = all(latency.quiet_rounds >= MIN_ROUNDS for latency in timed)
        yield (
            f"in {disturbed} of {slices} slices of timed calls the machine ran below its best; "
            + ("they are left out" if left_out else "too few are left without them, so all count")
        )
    unstable = [latency.spread or 0 for latency in timed if latency.unstable]
    if unstable:
        causes = run.conditions.causes() if run.conditions else []
        yield (
            f"~ marks rows whose rounds differ, by up to {max(unstable):.0%}: "
            f"{'; '.join(causes) or 'cause unknown'}; rows taken in turns compare, their absolute "
            "times may not repeat"
        )
