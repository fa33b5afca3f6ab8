"""Is a row slower than its format lets expect, and why?"""

from collections import Counter
from collections.abc import Iterator, Mapping

from benchmark.advise.clause import Clause, Finding
from benchmark.advise.latency_ratio import Ratio, latency_ratio
from benchmark.advise.operators import Operators, listed, operators_of
from benchmark.judge.rows import Result
from export.formats.table import Format
from export.runtimes.open import MODES
from train.common.environment import DOT_PRODUCTS, Environment

# Fewer bits than float32: so much faster than float32 on the same runtime.
FASTER_BY = 0.10
# Up to so much slower still counts as no difference.
SLOWER_BY = 0.10
# The same scheme on the other runtime: at most so many times as slow.
RUNTIME_FACTOR = 1.5
NO_CAUSE = Clause("no cause found, try --profile")
NO_CAUSE_DELEGATED = Clause(
    "no cause found, try --profile, and --xnnpack on,off for LiteRT's own kernels"
)
XNNPACK = MODES["litert"][0]

# Call overhead is named where it is at least so much of a call, or of the time between two rows.
OVERHEAD_SHARE = 1 / 3

RUNTIME_NAMES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}
HALF_ARITHMETIC = ("avx512_fp16", "asimdhp")
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast")
# By runtime, what a call costs that computes nothing, in microseconds; None where not known.
CallOverhead = Mapping[str, float | None]


def slower_than_expected(
    row: Result,
    other: Result,
    entry: Format,
    environment: Environment,
    call_overhead_us: CallOverhead,
) -> Iterator[Finding]:
    """Fewer bits should be faster than float32; the other runtime at the same bits about as fast.

    Args:
        row: the row to explain.
        other: float32 on the same runtime, or the same scheme on another.
        entry: the row's format.
        environment: the machine.
        call_overhead_us: of the runtimes.
    """
    ratio, same_runtime = latency_ratio(row, other), row.variant.runtime == other.variant.runtime
    if ratio is None or ratio.low <= (1 - FASTER_BY if same_runtime else RUNTIME_FACTOR):
        return
    own, of_other = operators_of(row), operators_of(other)
    p50_us, other_p50_us = f"{_p50_us(row):.1f}", f"{_p50_us(other):.1f}"
    name = other.variant.name
    figures: tuple[str, ...]
    if same_runtime:
        against, figures = f"{name} ({{}} and {other_p50_us} µs)", (p50_us,)
        why = [
            *(() if ratio.value > 1 + SLOWER_BY else _overhead_share(row, call_overhead_us)),
            *_delegation(row, own, of_other),
            *_widened_weights(entry, own, of_other),
            *_more_operators(row, name, own, of_other),
            *_missing_instructions(entry, environment),
        ]
    else:
        against = f"{{}} on {_runtime_name(other)} ({{}} and {{}} µs)"
        figures = (name, p50_us, other_p50_us)
        why = [
            *_overhead_difference(row, other, call_overhead_us),
            *_delegation(row, own, of_other),
            *_conversions(row, own),
        ]
    delegated = same_runtime and row.variant.mode == XNNPACK
    yield _compared(ratio, against, figures), why or [NO_CAUSE_DELEGATED if delegated else NO_CAUSE]


def slower_by_the_delegate(row: Result, other: Result) -> Iterator[Finding]:
    """XNNPACK should compute a file no slower than LiteRT's own kernels do.

    Args:
        row: measured with the delegate.
        other: the same file without it.
    """
    ratio = latency_ratio(row, other)
    if ratio is not None and ratio.low > 1 + SLOWER_BY:
        figures = f"{_p50_us(row):.1f}", f"{_p50_us(other):.1f}"
        yield (
            _compared(ratio, f"{other.variant.name} ({{}} and {{}} µs)", figures),
            [Clause("XNNPACK's kernels are slower here, leave the delegate out")],
        )


def _compared(ratio: Ratio, against: str, figures: tuple[str, ...]) -> Clause:
    if ratio.value > 1 + SLOWER_BY:
        return Clause(f"{{}} × slower than {against}", (f"{ratio.value:.1f}", *figures))
    if ratio.high >= 1:
        return Clause(f"no faster than {against}", figures)
    return Clause(f"only {{}} faster than {against}", (f"{1 - ratio.value:.0%}", *figures))


def _delegation(row: Result, own: Operators, of_base: Operators) -> Iterator[Clause]:
    """XNNPACK took a smaller share of it than of what it is compared with."""
    if not own.undelegated or row.variant.mode != XNNPACK:
        return
    total, left = own.run.total(), own.undelegated.total()
    of_other = of_base.undelegated
    if of_other is not None and left / total <= of_other.total() / of_base.run.total():
        return
    yield Clause(
        "XNNPACK took {} of {} operators, {} ({}) run on LiteRT's built-in kernels",
        (total - left, total, "all" if left == total else "the rest", listed(own.undelegated)),
    )


def _widened_weights(entry: Format, own: Operators, of_base: Operators) -> Iterator[Clause]:
    """Weights that the file itself makes float32 before they are used."""
    count = own.in_file["DEQUANTIZE"] - of_base.in_file["DEQUANTIZE"]
    if entry.weights == "float16" and count > 0:
        yield Clause(
            "{} DEQUANTIZE operators in the file make the weights float32 to compute with", (count,)
        )


def _more_operators(
    row: Result, base_name: str, own: Operators, of_base: Operators
) -> Iterator[Clause]:
    """ONNX Runtime runs more operators of it, those that convert between precisions included."""
    if row.variant.runtime != "onnxruntime":
        return
    in_file = listed(_converting(own.in_file))
    if not own.run or not of_base.run:
        if in_file:
            yield Clause("the file has {}; which of them are run is not known", (in_file,))
        return
    more, total, total_of_base = own.run - of_base.run, own.run.total(), of_base.run.total()
    found = listed(_converting(more))
    if found or total > total_of_base:
        among = f", {found} among them" if found else ""
        if in_file:
            among += f" (the file has {in_file})"
        yield Clause(f"ONNX Runtime runs {total} operators{among}, of {base_name} {total_of_base}")
    ranging = Counter({name: more[name] for name in more if name.startswith("DynamicQuantize")})
    if ranging:
        yield Clause("{} find the activations' ranges anew in each call", (listed(ranging),))


def _conversions(row: Result, own: Operators) -> Iterator[Clause]:
    """Operators that only convert between precisions, of those that ONNX Runtime runs."""
    found = listed(_converting(own.run))
    if row.variant.runtime == "onnxruntime" and found:
        yield Clause("{} among the {} operators that ONNX Runtime runs", (found, own.run.total()))


def _converting(counted: Counter[str]) -> Counter[str]:
    return Counter({name: counted[name] for name in CONVERSIONS if counted[name]})


def _missing_instructions(entry: Format, environment: Environment) -> Iterator[Clause]:
    """Arithmetic that the format needs and the processor lacks; nothing if that is not known."""
    features = environment.cpu_features
    if not features:
        return
    if entry.weights == "float16" and not set(HALF_ARITHMETIC).intersection(features):
        yield Clause("this processor lists no half-precision arithmetic")
    integer = entry.activations in ("int8", "dynamic")
    if integer and not set(DOT_PRODUCTS).intersection(features):
        yield Clause("this processor lists no dot-product instructions for 8-bit integers")


def _overhead_share(row: Result, call_overhead_us: CallOverhead) -> Iterator[Clause]:
    """A good part of a call is spent where no format can save anything."""
    overhead, p50 = _overhead(row, call_overhead_us), _p50_us(row)
    if overhead is not None and OVERHEAD_SHARE * p50 <= overhead < p50:
        yield Clause(
            f"{overhead:.1f} of {{}} µs are {_runtime_name(row)}'s call overhead, what a call "
            "costs that computes nothing",
            (f"{p50:.1f}",),
        )


def _overhead_difference(
    row: Result, other: Result, call_overhead_us: CallOverhead
) -> Iterator[Clause]:
    """The two runtimes' call overheads are a good part of what lies between two rows."""
    slow, fast = _overhead(row, call_overhead_us), _overhead(other, call_overhead_us)
    between = _p50_us(row) - _p50_us(other)
    if slow is not None and fast is not None and slow - fast >= OVERHEAD_SHARE * between:
        yield Clause(
            f"a call that computes nothing costs {slow:.1f} µs on {_runtime_name(row)}, "
            f"{fast:.1f} on {_runtime_name(other)}, which is {slow - fast:.1f} of the {{}} µs "
            "between them",
            (f"{between:.1f}",),
        )


def _p50_us(row: Result) -> float:
    """Returns a row's median latency in microseconds, of a row whose latency has one."""
    return row.latency.p50 or 0.0 if row.latency else 0.0


def _runtime_name(row: Result) -> str:
    return RUNTIME_NAMES[row.variant.runtime or ""]


def _overhead(row: Result, call_overhead_us: CallOverhead) -> float | None:
    """Call overhead is measured on one thread, and says nothing of more."""
    return call_overhead_us.get(row.variant.runtime or "") if row.variant.threads == 1 else None
