"""What can make a format slow, each as a clause that its evidence supports, or nothing. Light."""

from collections import Counter
from collections.abc import Iterator, Mapping

from benchmark.judge.rows import Result
from export.formats import Format
from export.runtimes.open import MODES
from train.common.environment import Environment

# A floor is named where it is at least so much of a call, or floors of the time between two rows.
FLOOR_SHARE = 1 / 3

RUNTIME_NAMES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}
HALF_ARITHMETIC = ("avx512_fp16", "asimdhp")
DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast")
Floors = Mapping[str, float | None]


def delegation(row: Result, base: Result) -> Iterator[str]:
    """XNNPACK took a smaller share of it than of what it is compared with."""
    own, other = _undelegated(row), _undelegated(base)
    if not own or row.variant.mode != MODES["litert"][0]:
        return
    total = len(_operators(row))
    if other is not None and len(own) / total <= len(other) / len(_operators(base)):
        return
    rest = "all" if len(own) == total else "the rest"
    yield (
        f"XNNPACK took {total - len(own)} of {total} operators, {rest} "
        f"({listed(Counter(own))}) run on LiteRT's built-in kernels"
    )


def widened(row: Result, base: Result, entry: Format) -> Iterator[str]:
    """Weights that the file itself makes float32 before they are used."""
    count = in_file(row)["DEQUANTIZE"] - in_file(base)["DEQUANTIZE"]
    if entry.weights == "float16" and count > 0:
        yield f"{count} DEQUANTIZE operators in its file make its weights float32 to compute with"


def more_operators(row: Result, base: Result) -> Iterator[str]:
    """ONNX Runtime runs more operators of it, those that convert between precisions included."""
    own, other = _operators(row), _operators(base)
    if row.variant.runtime != "onnxruntime":
        return
    in_files = _converting(in_file(row))
    if not own or not other:
        if in_files:
            yield f"its file has {listed(in_files)}; which of them are run is not known"
        return
    more = Counter(own) - Counter(other)
    run = _converting(more)
    if run or len(own) > len(other):
        among = f", {listed(run)} among them" if run else ""
        if in_files:
            among += f" (its file has {listed(in_files)})"
        yield f"ONNX Runtime runs {len(own)} operators{among}, of {base.variant.name} {len(other)}"
    finding = Counter({name: more[name] for name in more if name.startswith("DynamicQuantize")})
    if finding:
        yield f"{listed(finding)} find the activations' ranges anew in each call"


def conversions(row: Result) -> Iterator[str]:
    """Operators that only convert between precisions, of those that ONNX Runtime runs."""
    own = _operators(row)
    found = _converting(Counter(own))
    if row.variant.runtime == "onnxruntime" and found:
        yield f"{listed(found)} among the {len(own)} operators that ONNX Runtime runs"


def instructions(entry: Format, environment: Environment) -> Iterator[str]:
    """Arithmetic that the format needs and the processor lacks; nothing if that is not known."""
    features = environment.cpu_features
    if not features:
        return
    if entry.weights == "float16" and not set(HALF_ARITHMETIC).intersection(features):
        yield "this processor lists no half-precision arithmetic"
    integer = entry.activations in ("int8", "dynamic")
    if integer and not set(DOT_PRODUCTS).intersection(features):
        yield "this processor lists no dot-product instructions for 8-bit integers"


def floor_share(row: Result, floor_us: Floors) -> Iterator[str]:
    """A good part of a call is spent where no format can save anything."""
    floor, p50 = _own_floor(row, floor_us), p50_us(row)
    if floor is not None and FLOOR_SHARE * p50 <= floor < p50:
        yield (
            f"{floor:.1f} of its {p50:.1f} µs are {_runtime_name(row)}'s floor, a call that "
            "computes nothing"
        )


def floors_apart(row: Result, other: Result, floor_us: Floors) -> Iterator[str]:
    """The two runtimes' floors are a good part of what lies between two rows."""
    own, others = _own_floor(row, floor_us), _own_floor(other, floor_us)
    between = p50_us(row) - p50_us(other)
    if own is not None and others is not None and own - others >= FLOOR_SHARE * between:
        yield (
            f"a call that computes nothing costs {own:.1f} µs on {_runtime_name(row)}, "
            f"{others:.1f} on {_runtime_name(other)}: {own - others:.1f} of the {between:.1f} µs "
            "between them"
        )


def in_file(row: Result) -> Counter[str]:
    """Returns how often each operator is in the file, by its manifest or by LiteRT; else empty."""
    manifest = row.variant.manifest
    if manifest and manifest.operators:
        return Counter(manifest.operators)
    return Counter(_operators(row) if row.variant.runtime == "litert" else ())


def listed(counted: Counter[str]) -> str:
    """Returns counts in words: `2 FULLY_CONNECTED, 1 SOFTMAX`."""
    return ", ".join(f"{count} {name}" for name, count in counted.items())


def p50_us(row: Result) -> float:
    """Returns a row's median latency in microseconds, of a row whose latency has one."""
    return row.latency.p50 or 0.0 if row.latency else 0.0


def _converting(counted: Counter[str]) -> Counter[str]:
    return Counter({name: counted[name] for name in CONVERSIONS if counted[name]})


def _operators(row: Result) -> list[str]:
    return list((row.kernels or {}).get("operators", ()))


def _undelegated(row: Result) -> list[str] | None:
    found = (row.kernels or {}).get("undelegated")
    return None if found is None else list(found)


def _own_floor(row: Result, floor_us: Floors) -> float | None:
    """Floors are measured on one thread, and say nothing of others."""
    return floor_us.get(row.variant.runtime or "") if row.variant.threads == 1 else None


def _runtime_name(row: Result) -> str:
    return RUNTIME_NAMES[row.variant.runtime or ""]
