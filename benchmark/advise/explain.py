"""Why a format is not as expected: what was expected, what was measured, and the evidence.

A cause is named only where something read from the file, the runtime or the machine, or measured
on it, supports it; where nothing does, the sentence says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmark.advise.clause import Clause, Finding, joined, merged
from benchmark.advise.size import larger_than_its_bits, no_smaller_than_dense
from benchmark.advise.speed import (
    XNNPACK,
    CallOverhead,
    slower_by_the_delegate,
    slower_than_expected,
)
from benchmark.judge.rows import Result
from export.formats.table import FORMATS, UNTUNED, Format
from export.runtimes.open import MODES
from train.common.environment import Environment


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
            is_float = named.name == f"{entry.family}-float32"
            to_compare = is_float and entry.weights != "float32"
            if is_float:
                yield from larger_than_its_bits(row, other, entry)
            if named.name == "tflite-int8" and set(entry.recipes) & {"pruned", "clustered"}:
                yield from no_smaller_than_dense(row, other)
        else:
            same_scheme = _scheme(named) == _scheme(entry)
            to_compare = same_scheme and _by_default(row) and _by_default(other)
        if environment.emulated:  # whose times say nothing
            continue
        if to_compare:
            yield from slower_than_expected(row, other, entry, environment, call_overhead_us)
        if named == entry and row.variant.mode == XNNPACK:
            yield from slower_by_the_delegate(row, other)


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


def _scheme(entry: Format) -> str:
    return entry.name.removeprefix(f"{entry.family}-")


def _by_default(row: Result) -> bool:
    return row.variant.mode == MODES[row.variant.runtime or ""][0]
