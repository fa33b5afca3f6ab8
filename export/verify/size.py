"""Is a file as large as what its graph stores lets expect, and what of it is left in float?"""

from collections import Counter
from collections.abc import Mapping

from export.formats.table import Format
from export.manifest import Check, Observation
from export.verify.graph.contents import Graph

# Graph, names and shapes on top of what is stored.
OVERHEAD_BYTES = 16_384
OVERHEAD_BYTES_PER_OPERATOR = 512
OVERHEAD_BYTES_PER_CHANNEL = 20  # a scale and a zero point of a `.tflite` file, with their index
MIN_FLOAT_SHARE = 0.05
FLOAT_PARTS = "float_parts"
LARGER = "larger_than_float32"  # found by whoever has the float32 file


def check_size(size_bytes: int, graph: Graph) -> Check:
    """Returns the check that a file holds little besides the constants that its graph reads.

    Constants are counted in the file, bodies of loops and branches included: variables of the model
    are no measure, which a front end's filters are not, and which recurrent layers are stored by
    more than once.
    """
    operators = len(graph.operators) + graph.inner_operators
    overhead = OVERHEAD_BYTES + OVERHEAD_BYTES_PER_OPERATOR * operators
    overhead += OVERHEAD_BYTES_PER_CHANNEL * graph.channels
    most = graph.stored_bytes + overhead
    return Check(
        name="size_bytes",
        value=size_bytes,
        limit=f"<= {most}: {graph.stored_bytes} of constants, {operators} operators",
        passed=size_bytes <= most,
    )


def parts_in_float(entry: Format, graph: Graph) -> list[Observation]:
    """Returns which operators' weights a format of integer weights leaves in float.

    For lack of kernels, or because they are small. A share that is too small to matter is not told.
    """
    total = sum(weights.size for weights in graph.products)
    parts: Counter[str] = Counter()
    for weights in graph.products:
        if weights.dtype == "float32":
            parts[weights.operator] += weights.size
    if entry.weights not in ("int8", "int4") or parts.total() < MIN_FLOAT_SHARE * max(total, 1):
        return []
    return [Observation(name=FLOAT_PARTS, value=f"{listed(parts)} of {total:,} weights")]


def computed_in_float(entry: Format, graph: Graph) -> list[Observation]:
    """Returns which operators of an ONNX format of integers have real numbers on one side."""
    if entry.family != "onnx" or not entry.calibrated or not graph.between:
        return []
    return [Observation(name="computed_in_float", value=listed(Counter(graph.between)))]


def listed(counts: Mapping[str, int]) -> str:
    """Returns numbers by name as text, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)
