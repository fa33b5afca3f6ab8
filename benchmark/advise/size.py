"""Is a file larger than its format lets expect, and why?"""

from collections.abc import Iterator

from benchmark.advise.clause import Clause, Finding
from benchmark.advise.operators import listed, operators_of
from benchmark.judge.rows import Result
from export.formats.table import BITS_PER_WEIGHT, Format

# What is expected of a file: its bits per weight over the 32 of its family's float32 file,
# and this much more for scales, names and the graph.
SIZE_SLACK = 0.15
OVERHEAD_BYTES = 4_096
OVERHEAD_BYTES_PER_OPERATOR = 512


def larger_than_its_bits(row: Result, base: Result, entry: Format) -> Iterator[Finding]:
    """A file should take up its bits per weight, beside that of float32."""
    if row.size_bytes is None or base.size_bytes is None:
        return
    operators, before = operators_of(row).in_file, operators_of(base).in_file
    bits = BITS_PER_WEIGHT[entry.weights]
    share = bits / BITS_PER_WEIGHT["float32"]
    overhead = OVERHEAD_BYTES + OVERHEAD_BYTES_PER_OPERATOR * operators.total()
    if row.size_bytes <= base.size_bytes * share * (1 + SIZE_SLACK) + overhead:
        return
    name, size = base.variant.name, _kb(base.size_bytes)
    finding = Clause(
        f"larger than {bits} bits per weight: {{}} kB, {{}} of {name}'s {size} kB, expected about "
        f"{share:.0%}",
        (_kb(row.size_bytes), f"{row.size_bytes / base.size_bytes:.0%}"),
    )
    why = Clause("no cause found in the file")
    if entry.weights == "int4":
        why = Clause(
            "small layers, the last one, and those that LiteRT has no 4-bit kernels for keep 8 bits"
        )
    if before and operators.total() > before.total():
        why = Clause(
            "the file has {} operators, that of {} {}; more of {}",
            (operators.total(), name, before.total(), listed(operators - before)),
        )
    yield finding, [why]


def no_smaller_than_dense(row: Result, base: Result) -> Iterator[Finding]:
    """Weights that are pruned or clustered might be expected to take up less."""
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


def _kb(size_bytes: int) -> str:
    return f"{size_bytes / 1000:,.1f}"
