"""What can make a format slow or large, each as a clause that its evidence supports, or nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping

from benchmark.advise.clause import Clause
from benchmark.judge.rows import Result
from export.formats import Format
from export.runtimes.open import MODES
from train.common.environment import Environment

# Call overhead is named where it is at least so much of a call, or of the time between two rows.
OVERHEAD_SHARE = 1 / 3

RUNTIME_NAMES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}
HALF_ARITHMETIC = ("avx512_fp16", "asimdhp")
DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast")
# By runtime, what a call costs that computes nothing, in microseconds; None where not known.
CallOverhead = Mapping[str, float | None]


def of_slow_precision(
    row: Result,
    base: Result,
    entry: Format,
    environment: Environment,
    call_overhead_us: CallOverhead,
    *,
    slower: bool,
) -> list[Clause]:
    """Returns why a format of fewer bits is no faster than float32, or slower."""
    return [
        *(() if slower else _overhead_share(row, call_overhead_us)),
        *_delegation(row, base),
        *_widened_weights(row, base, entry),
        *_more_operators(row, base),
        *_missing_instructions(entry, environment),
    ]


def of_slow_runtime(row: Result, other: Result, call_overhead_us: CallOverhead) -> list[Clause]:
    """Returns why a runtime is slower than another at the same scheme."""
    return [
        *_overhead_difference(row, other, call_overhead_us),
        *_delegation(row, other),
        *_conversions(row),
    ]


def of_large_file(row: Result, base: Result) -> list[Clause]:
    """Returns why a file is larger than its bits per weight account for."""
    operators, before = _operators_in_file(row), _operators_in_file(base)
    if not before or operators.total() <= before.total():
        return []
    return [
        Clause(
            "the file has {} operators, that of {} {}; more of {}",
            (operators.total(), base.variant.name, before.total(), _listed(operators - before)),
        )
    ]


def count_operators(row: Result) -> int:
    """Returns how many operators are in the file, as far as that is known."""
    return _operators_in_file(row).total()


def _delegation(row: Result, base: Result) -> Iterator[Clause]:
    """XNNPACK took a smaller share of it than of what it is compared with."""
    left, left_of_base = _undelegated(row), _undelegated(base)
    if not left or row.variant.mode != MODES["litert"][0]:
        return
    total = len(_operators(row))
    if left_of_base is not None and len(left) / total <= len(left_of_base) / len(_operators(base)):
        return
    rest = "all" if len(left) == total else "the rest"
    yield Clause(
        "XNNPACK took {} of {} operators, {} ({}) run on LiteRT's built-in kernels",
        (total - len(left), total, rest, _listed(Counter(left))),
    )


def _widened_weights(row: Result, base: Result, entry: Format) -> Iterator[Clause]:
    """Weights that the file itself makes float32 before they are used."""
    count = _operators_in_file(row)["DEQUANTIZE"] - _operators_in_file(base)["DEQUANTIZE"]
    if entry.weights == "float16" and count > 0:
        yield Clause(
            "{} DEQUANTIZE operators in the file make the weights float32 to compute with", (count,)
        )


def _more_operators(row: Result, base: Result) -> Iterator[Clause]:
    """ONNX Runtime runs more operators of it, those that convert between precisions included."""
    run, run_of_base = _operators(row), _operators(base)
    if row.variant.runtime != "onnxruntime":
        return
    in_file = _converting(_operators_in_file(row))
    if not run or not run_of_base:
        if in_file:
            yield Clause("the file has {}; which of them are run is not known", (_listed(in_file),))
        return
    more = Counter(run) - Counter(run_of_base)
    converting = _converting(more)
    if converting or len(run) > len(run_of_base):
        among = f", {_listed(converting)} among them" if converting else ""
        if in_file:
            among += f" (the file has {_listed(in_file)})"
        yield Clause(
            f"ONNX Runtime runs {len(run)} operators{among}, of {base.variant.name} "
            f"{len(run_of_base)}"
        )
    ranging = Counter({name: more[name] for name in more if name.startswith("DynamicQuantize")})
    if ranging:
        yield Clause("{} find the activations' ranges anew in each call", (_listed(ranging),))


def _conversions(row: Result) -> Iterator[Clause]:
    """Operators that only convert between precisions, of those that ONNX Runtime runs."""
    run = _operators(row)
    found = _converting(Counter(run))
    if row.variant.runtime == "onnxruntime" and found:
        yield Clause("{} among the {} operators that ONNX Runtime runs", (_listed(found), len(run)))


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
    overhead, p50 = _overhead(row, call_overhead_us), p50_us(row)
    if overhead is not None and OVERHEAD_SHARE * p50 <= overhead < p50:
        yield Clause(
            f"{overhead:.1f} of {{}} µs are {runtime_name(row)}'s call overhead, what a call "
            "costs that computes nothing",
            (f"{p50:.1f}",),
        )


def _overhead_difference(
    row: Result, other: Result, call_overhead_us: CallOverhead
) -> Iterator[Clause]:
    """The two runtimes' call overheads are a good part of what lies between two rows."""
    slow, fast = _overhead(row, call_overhead_us), _overhead(other, call_overhead_us)
    between = p50_us(row) - p50_us(other)
    if slow is not None and fast is not None and slow - fast >= OVERHEAD_SHARE * between:
        yield Clause(
            f"a call that computes nothing costs {slow:.1f} µs on {runtime_name(row)}, "
            f"{fast:.1f} on {runtime_name(other)}, which is {slow - fast:.1f} of the {{}} µs "
            "between them",
            (f"{between:.1f}",),
        )


def _operators_in_file(row: Result) -> Counter[str]:
    """Returns how often each operator is in the file, by its manifest or by LiteRT; else empty."""
    manifest = row.variant.manifest
    if manifest and manifest.operators:
        return Counter(manifest.operators)
    return Counter(_operators(row) if row.variant.runtime == "litert" else ())


def _listed(counted: Counter[str]) -> str:
    """Returns counts as a text: `2 FULLY_CONNECTED, 1 SOFTMAX`."""
    return ", ".join(f"{count} {name}" for name, count in counted.items())


def p50_us(row: Result) -> float:
    """Returns a row's median latency in microseconds, of a row whose latency has one."""
    return row.latency.p50 or 0.0 if row.latency else 0.0


def runtime_name(row: Result) -> str:
    """Returns what the row's runtime is called."""
    return RUNTIME_NAMES[row.variant.runtime or ""]


def _converting(counted: Counter[str]) -> Counter[str]:
    return Counter({name: counted[name] for name in CONVERSIONS if counted[name]})


def _operators(row: Result) -> list[str]:
    return list((row.kernels or {}).get("operators", ()))


def _undelegated(row: Result) -> list[str] | None:
    found = (row.kernels or {}).get("undelegated")
    return None if found is None else list(found)


def _overhead(row: Result, call_overhead_us: CallOverhead) -> float | None:
    """Call overhead is measured on one thread, and says nothing of more."""
    return call_overhead_us.get(row.variant.runtime or "") if row.variant.threads == 1 else None
