"""Why a format is not as expected: what was expected, what was measured, and the evidence.

A cause is named only where something read from the file, the runtime or the machine, or measured
on it, supports it; where nothing does, the sentence says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmark.advise import causes
from benchmark.advise.causes import CallOverhead, p50_us, runtime_name
from benchmark.advise.clause import Clause, joined, merged
from benchmark.advise.pairs import Ratio, latency_ratio
from benchmark.judge.rows import Result
from export.formats import BITS_PER_WEIGHT, FORMATS, UNTUNED, Format
from export.runtimes.open import MODES
from train.common.environment import Environment

# What is expected of a format. Size: its bits per weight over the 32 of its family's float32 file,
# and this much more for scales, names and the graph.
SIZE_SLACK = 0.15
OVERHEAD_BYTES = 4_096
OVERHEAD_BYTES_PER_OPERATOR = 512
# Fewer bits than float32: so much faster than float32 on the same runtime.
FASTER_BY = 0.10
# Up to so much slower still counts as no difference.
SLOWER_BY = 0.10
# The same scheme on the other runtime: at most so many times as slow.
RUNTIME_FACTOR = 1.5
NO_CAUSE = Clause("no cause found, try --profile")
Finding = tuple[Clause, Sequence[Clause]]  # what is not as expected, and its causes


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Something about a row that is not as expected.

    Attributes:
        row: the row's name.
        finding: what is not as expected.
        causes: why, at least one.
    """

    row: str
    finding: Clause
    causes: tuple[Clause, ...]

    @property
    def sentence(self) -> str:
        """What to say of this row alone."""
        return f"{self.finding}: {'; '.join(map(str, self.causes))}"


def explain(
    results: Sequence[Result], environment: Environment, call_overhead_us: CallOverhead
) -> tuple[Explanation, ...]:
    """Returns an explanation of each thing that is not as expected, in the order of the rows.

    Args:
        results: all rows of a run.
        environment: the machine that they were measured on.
        call_overhead_us: by runtime, what a call costs that computes nothing, in microseconds.
    """
    return tuple(
        Explanation(row=row.variant.name, finding=finding, causes=tuple(why))
        for row in results
        for finding, why in _findings(row, results, environment, call_overhead_us)
    )


def grouped(explanations: Iterable[Explanation]) -> list[str]:
    """Returns a sentence for each finding, which names all rows that it is true of.

    Where rows differ in a figure, each has its own, in the order of the names. A cause that is not
    that of all rows is followed by the names of those that it is true of.
    """
    by_finding: dict[str, list[Explanation]] = {}
    for found in explanations:
        by_finding.setdefault(found.finding.text, []).append(found)
    return [_shared_sentence(some) for some in by_finding.values()]


def _shared_sentence(some: Sequence[Explanation]) -> str:
    by_cause: dict[str, list[tuple[str, Clause]]] = {}
    for found in some:
        for cause in found.causes:
            by_cause.setdefault(cause.text, []).append((found.row, cause))
    clauses = []
    for named in by_cause.values():
        of_all = len(named) == len(some)
        names = "" if of_all else f" ({joined([name for name, _ in named])})"
        clauses.append(merged([cause for _, cause in named]) + names)
    rows = joined([found.row for found in some])
    return f"{rows}: {merged([found.finding for found in some])}: {'; '.join(clauses)}"


def _findings(
    row: Result,
    results: Sequence[Result],
    environment: Environment,
    call_overhead_us: CallOverhead,
) -> Iterator[Finding]:
    entry = FORMATS.get(row.variant.format)
    if entry is None or row.latency is None:
        return
    yield from _fine_tuning(row)
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
                    yield from _precision(row, other, entry, environment, call_overhead_us)
            if named.name == "tflite-int8" and set(entry.recipes) & {"pruned", "clustered"}:
                yield from _dense(row, other)
        elif environment.emulated:
            continue  # its times say nothing of either runtime
        elif _scheme(named) == _scheme(entry) and _by_default(row) and _by_default(other):
            yield from _runtime(row, other, call_overhead_us)


def _fine_tuning(row: Result) -> Iterator[Finding]:
    """A format with fine-tuning should be fine-tuned."""
    found = row.variant.manifest and row.variant.manifest.fine_tuning
    if found and not found.kept:
        yield (
            Clause(f"not fine-tuned, and so the same as {UNTUNED}"),
            [
                Clause(
                    "on held-out examples training for quantization gained {}, no more than chance",
                    (found.text,),
                )
            ],
        )


def _size(row: Result, base: Result, entry: Format) -> Iterator[Finding]:
    if row.size_bytes is None or base.size_bytes is None:
        return
    bits = BITS_PER_WEIGHT[entry.weights]
    share = bits / BITS_PER_WEIGHT["float32"]
    overhead = OVERHEAD_BYTES + OVERHEAD_BYTES_PER_OPERATOR * causes.count_operators(row)
    if row.size_bytes <= base.size_bytes * share * (1 + SIZE_SLACK) + overhead:
        return
    name, size = base.variant.name, _kb(base.size_bytes)
    finding = Clause(
        f"larger than {bits} bits per weight: {{}} kB, {{}} of {name}'s {size} kB, expected about "
        f"{share:.0%}",
        (_kb(row.size_bytes), f"{row.size_bytes / base.size_bytes:.0%}"),
    )
    yield finding, causes.of_large_file(row, base) or [Clause("no cause found in the file")]


def _dense(row: Result, base: Result) -> Iterator[Finding]:
    if row.size_bytes is None or base.size_bytes is None:
        return
    if row.size_bytes < base.size_bytes * (1 - SIZE_SLACK):
        return
    finding = Clause(
        f"about as large as {base.variant.name} ({{}} and {_kb(base.size_bytes)} kB)",
        (_kb(row.size_bytes),),
    )
    why = [Clause("weights are stored dense, one byte each")]
    if row.gzip_bytes and base.gzip_bytes and row.gzip_bytes < base.gzip_bytes:
        before = _kb(base.gzip_bytes)
        why.append(
            Clause(f"gzip is where it shows, {{}} instead of {before} kB", (_kb(row.gzip_bytes),))
        )
    yield finding, why


def _precision(
    row: Result,
    base: Result,
    entry: Format,
    environment: Environment,
    call_overhead_us: CallOverhead,
) -> Iterator[Finding]:
    """Fewer bits than float32 should be faster than float32."""
    ratio = latency_ratio(row, base)
    if entry.weights == "float32" or ratio is None or ratio.low <= 1 - FASTER_BY:
        return
    slower = ratio.value > 1 + SLOWER_BY
    found = causes.of_slow_precision(row, base, entry, environment, call_overhead_us, slower=slower)
    against = f"{base.variant.name} ({{}} and {p50_us(base):.1f} µs)"
    yield _compared(ratio, against, f"{p50_us(row):.1f}"), found or [NO_CAUSE]


def _runtime(row: Result, other: Result, call_overhead_us: CallOverhead) -> Iterator[Finding]:
    """A runtime should not be much slower than the other at the same scheme."""
    ratio = latency_ratio(row, other)
    if ratio is None or ratio.low <= RUNTIME_FACTOR:
        return
    against = f"{{}} on {runtime_name(other)} ({{}} and {{}} µs)"
    figures = (other.variant.name, f"{p50_us(row):.1f}", f"{p50_us(other):.1f}")
    found = causes.of_slow_runtime(row, other, call_overhead_us)
    yield _compared(ratio, against, *figures), found or [NO_CAUSE]


def _compared(ratio: Ratio, against: str, *figures: str) -> Clause:
    if ratio.value > 1 + SLOWER_BY:
        return Clause(f"{{}} × slower than {against}", (f"{ratio.value:.1f}", *figures))
    if ratio.high >= 1:
        return Clause(f"no faster than {against}", figures)
    return Clause(f"only {{}} faster than {against}", (f"{1 - ratio.value:.0%}", *figures))


def _kb(size_bytes: int) -> str:
    return f"{size_bytes / 1000:,.1f}"


def _scheme(entry: Format) -> str:
    return entry.name.removeprefix(f"{entry.family}-")


def _by_default(row: Result) -> bool:
    return row.variant.mode == MODES[row.variant.runtime or ""][0]
