"""Why a format is not as expected: what was expected, measured, and the evidence.

Light. A cause is named only where something read from the file, the runtime or the machine, or
measured on it, supports it; where nothing does, the sentence says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.advise.causes import (
    Floors,
    conversions,
    delegation,
    floor_share,
    floors_apart,
    in_file,
    instructions,
    listed,
    more_operators,
    p50_us,
    widened,
)
from benchmark.advise.pairs import Ratio, latency_ratio
from benchmark.judge.rows import Result
from export.formats import BITS_PER_WEIGHT, FORMATS, UNTUNED, Format
from export.runtimes.open import MODES
from train.common.environment import Environment

# What is expected of a format. Size: its bits a weight over 32 of its family's float32 file, and
# this much more for scales, names and the graph.
SIZE_SLACK = 0.15
OVERHEAD_BYTES = 4_096
OVERHEAD_BYTES_AN_OPERATOR = 512
# Fewer bits than float32: so much faster than float32 on the same runtime.
FASTER_BY = 0.10
# From here to FASTER_BY on the other side a difference is called none.
SLOWER_BY = 0.10
# The same scheme on the other runtime: at most so many times as slow.
RUNTIME_FACTOR = 1.5
NO_CAUSE = "no cause found; try --profile"


def explained(
    results: Sequence[Result], environment: Environment, floor_us: Floors
) -> list[Result]:
    """Returns the rows with a sentence for each thing that is not as expected.

    Args:
        results: all rows of a run.
        environment: the machine that they were measured on.
        floor_us: by runtime, what a call costs that computes nothing, in microseconds.
    """
    return [
        replace(result, explanations=tuple(_sentences(result, results, environment, floor_us)))
        for result in results
    ]


def _sentences(
    row: Result, results: Sequence[Result], environment: Environment, floor_us: Floors
) -> Iterator[str]:
    entry = FORMATS.get(row.variant.format)
    if entry is None or row.latency is None:
        return
    yield from _tuning(row)
    for other in results:
        if other is row or other.latency is None or other.variant.threads != row.variant.threads:
            continue
        named = FORMATS.get(other.variant.format)
        if named is None:
            continue
        if named.family == entry.family and other.variant.mode == row.variant.mode:
            if named.name == f"{entry.family}-float32":
                yield from _size(row, other, entry)
                if not environment.emulated:
                    yield from _precision(row, other, entry, environment, floor_us)
            if named.name == "tflite-int8" and set(entry.recipes) & {"pruned", "clustered"}:
                yield from _dense(row, other)
        elif environment.emulated:
            continue  # its times say nothing of either runtime
        elif _scheme(named) == _scheme(entry) and _by_default(row) and _by_default(other):
            yield from _runtime(row, other, floor_us)


def _tuning(row: Result) -> Iterator[str]:
    """A format with fine-tuning should be fine-tuned."""
    found = row.variant.manifest and row.variant.manifest.fine_tuning
    if found and not found.kept:
        yield (
            f"not fine-tuned, so it is the same as {UNTUNED}: on held-out examples training for "
            f"quantization gained {found.text}, no more than chance"
        )


def _size(row: Result, base: Result, entry: Format) -> Iterator[str]:
    if row.size_bytes is None or base.size_bytes is None:
        return
    operators, before = in_file(row), in_file(base)
    share = BITS_PER_WEIGHT[entry.weights] / BITS_PER_WEIGHT["float32"]
    overhead = OVERHEAD_BYTES + OVERHEAD_BYTES_AN_OPERATOR * operators.total()
    if row.size_bytes <= base.size_bytes * share * (1 + SIZE_SLACK) + overhead:
        return
    cause = "no cause found in the file"
    if before and operators.total() > before.total():
        cause = f"its file has {operators.total()} operators, that of {_name(base)} "
        cause += f"{before.total()}; more of {listed(operators - before)}"
    yield (
        f"larger than {BITS_PER_WEIGHT[entry.weights]} bits a weight: {_kb(row.size_bytes)} kB, "
        f"{row.size_bytes / base.size_bytes:.0%} of {_name(base)}'s {_kb(base.size_bytes)} kB, "
        f"expected about {share:.0%}: {cause}"
    )


def _dense(row: Result, base: Result) -> Iterator[str]:
    if row.size_bytes is None or base.size_bytes is None:
        return
    if row.size_bytes < base.size_bytes * (1 - SIZE_SLACK):
        return
    sentence = (
        f"about as large as tflite-int8 ({_kb(row.size_bytes)} and {_kb(base.size_bytes)} kB): its "
        "weights are stored dense, one byte each"
    )
    if row.gzip_bytes and base.gzip_bytes and row.gzip_bytes < base.gzip_bytes:
        sentence += (
            f"; gzip is where it shows: {_kb(row.gzip_bytes)} instead of {_kb(base.gzip_bytes)} kB"
        )
    yield sentence


def _precision(
    row: Result, base: Result, entry: Format, environment: Environment, floor_us: Floors
) -> Iterator[str]:
    """Fewer bits than float32 should be faster than float32."""
    ratio = latency_ratio(row, base)
    if entry.weights == "float32" or ratio is None or ratio.low <= 1 - FASTER_BY:
        return
    causes = [
        *delegation(row, base),
        *widened(row, base, entry),
        *more_operators(row, base),
        *instructions(entry, environment),
    ]
    if ratio.value <= 1 + SLOWER_BY:
        causes = [*floor_share(row, floor_us), *causes]
    yield f"{_compared(ratio)} {_name(base)} {_times(row, base)}: {'; '.join(causes) or NO_CAUSE}"


def _runtime(row: Result, other: Result, floor_us: Floors) -> Iterator[str]:
    """A runtime should not be much slower than the other at the same scheme."""
    ratio = latency_ratio(row, other)
    if ratio is None or ratio.low <= RUNTIME_FACTOR:
        return
    causes = [
        *floors_apart(row, other, floor_us),
        *delegation(row, other),
        *conversions(row),
    ]
    yield f"{_compared(ratio)} {_name(other)} {_times(row, other)}: {'; '.join(causes) or NO_CAUSE}"


def _compared(ratio: Ratio) -> str:
    if ratio.value > 1 + SLOWER_BY:
        return f"{ratio.value:.1f} × slower than"
    return "no faster than" if ratio.high >= 1 else f"only {1 - ratio.value:.0%} faster than"


def _times(row: Result, other: Result) -> str:
    return f"({p50_us(row):.1f} and {p50_us(other):.1f} µs)"


def _kb(size_bytes: int) -> str:
    return f"{size_bytes / 1000:,.1f}"


def _name(row: Result) -> str:
    return row.variant.name


def _scheme(entry: Format) -> str:
    return entry.name.removeprefix(f"{entry.family}-")


def _by_default(row: Result) -> bool:
    return row.variant.mode == MODES[row.variant.runtime or ""][0]
