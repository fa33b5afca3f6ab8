"""Channels of one size between two layers of a float `.onnx` file: the same function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from export.convert.calibrate.calibration import onnx_values
from export.convert.calibrate.equalize import LEAST_DB, NOT_WORTH, WORTH_DB, channels_of, factors_of

LAYERS = ("Conv", "Gemm")
# Which treat each channel by itself and take factors along.
PASSING = ("MaxPool", "AveragePool", "GlobalAveragePool")
KERNEL, BIAS = 1, 2  # their places among a layer's inputs


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two layers with nothing between them that would not take factors along.

    Attributes:
        first, second: the nodes.
        between: the tensor whose channels are looked at: what the first one's activation writes, or
            a concatenation with it.
        limit: of the activation, as of a ReLU6.
        start: where in that tensor the first one's channels begin.
    """

    first: onnx.NodeProto
    second: onnx.NodeProto
    between: str
    limit: float | None
    start: int


def equalized(prepared: Path, inputs: Mapping[str, np.ndarray]) -> Path:
    """Returns a file with a float model that computes the same in channels of about one size.

    It lies beside the other, and is made once.

    Args:
        prepared: the float model's file.
        inputs: calibration examples (N, …) by name.

    Raises:
        ValueError: nothing is worth it.
    """
    path = prepared.with_name(f"{prepared.stem}-equalized.onnx")
    if path.exists():
        return path
    model = onnx.load(prepared)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    pairs = list(_pairs(model.graph, stored, _shapes(model)))
    axes = {pair.between: 1 for pair in pairs}
    found = channels_of(onnx_values(model, axes, inputs), axes) if pairs else {}
    best = 0.0
    for pair in pairs:
        if pair.between not in found:
            continue
        rows = _rows(pair.second, stored, len(found[pair.between].lows))
        if rows is None:
            continue
        factors, gained_db = factors_of(
            found[pair.between],
            rows,
            own_scales=number_of(pair.second, "group", 1) > 1,
            limit=pair.limit,
            own=_own(pair, stored),
        )
        if gained_db >= LEAST_DB:
            _scale(pair, stored, factors)
            found[pair.between] = found[pair.between].larger(factors)
            best = max(best, gained_db)
    if best < WORTH_DB:
        raise ValueError(NOT_WORTH)
    onnx.save(model, path)
    return path


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Returns the shapes of tensors by name, with 0 for a size that is open."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [int(size.dim_value) for size in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }


def _pairs(
    graph: onnx.GraphProto, stored: Mapping[str, onnx.TensorProto], shapes: Mapping[str, list[int]]
) -> Iterator[_Pair]:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {value.name for value in graph.output}

    def owned(node: onnx.NodeProto) -> bool:
        """Whether a layer's weights are stored, and no other's."""
        weights = [name for name in node.input[KERNEL:] if name]
        is_plain = node.op_type == "Conv" or all(
            number_of(node, name, default) == default
            for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))
        )
        return is_plain and all(len(readers[name]) == 1 and name in stored for name in weights)

    for first in graph.node:
        if first.op_type not in LAYERS or not owned(first):
            continue
        name, limit, seen = first.output[0], None, False
        between, start = name, 0
        while len(readers.get(name, [])) == 1 and name not in outputs:
            (reader,) = readers[name]
            if reader.op_type in LAYERS and reader.input[0] == name and owned(reader):
                yield _Pair(first=first, second=reader, between=between, limit=limit, start=start)
            if reader.op_type in ("Relu", "Clip") and not seen:
                ends = _limits(reader, stored)
                if ends is None:
                    break
                seen, limit, between = True, ends[1], reader.output[0]
            elif reader.op_type == "Concat":
                before = _channels_before(reader, name, shapes)
                if before is None:
                    break
                start, between = start + before, reader.output[0]
            elif reader.op_type not in PASSING:
                break
            name = reader.output[0]


def _channels_before(
    node: onnx.NodeProto, name: str, shapes: Mapping[str, list[int]]
) -> int | None:
    """Returns how many channels a concatenation has before an input; None of another axis."""
    parts = [shapes.get(part, []) for part in node.input]
    if min(map(len, parts)) < 2 or number_of(node, "axis", 0) % len(parts[0]) != 1:
        return None
    counts = [shape[1] for shape in parts[: [*node.input].index(name)]]
    return sum(counts) if all(counts) else None


def _limits(
    node: onnx.NodeProto, stored: Mapping[str, onnx.TensorProto]
) -> tuple[float, float | None] | None:
    """Returns the ends of a ReLU, the upper one if it has one; None of another activation."""
    if node.op_type == "Relu":
        return 0.0, None
    ends = [
        float(onnx.numpy_helper.to_array(stored[name])) for name in node.input[1:] if name in stored
    ]
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] == 0 else None


def _rows(
    node: onnx.NodeProto, stored: Mapping[str, onnx.TensorProto], channels: int
) -> np.ndarray | None:
    """Returns a layer's weights by input channel, (outputs, n, C); None where they are grouped."""
    kernel = onnx.numpy_helper.to_array(stored[node.input[KERNEL]])
    if number_of(node, "group", 1) == 1:
        return by_output(node, kernel)
    if kernel.shape[1] == 1 and number_of(node, "group", 1) == channels:  # depthwise
        return kernel.reshape(1, channels, -1).transpose(0, 2, 1)
    return None


def by_output(node: onnx.NodeProto, kernel: np.ndarray) -> np.ndarray:
    """Returns a layer's kernel as (outputs, places, channels that each reads)."""
    if node.op_type in ("Gemm", "MatMul"):
        rows = kernel if number_of(node, "transB", 0) else kernel.T
        return rows[:, np.newaxis, :]
    return np.moveaxis(kernel.reshape(*kernel.shape[:2], -1), 1, 2)


def _scale(pair: _Pair, stored: Mapping[str, onnx.TensorProto], factors: np.ndarray) -> None:
    first, second = (
        onnx.numpy_helper.to_array(stored[node.input[KERNEL]]) for node in (pair.first, pair.second)
    )
    axis = 1 if pair.first.op_type == "Gemm" and not number_of(pair.first, "transB", 0) else 0
    own = factors[_own(pair, stored)]
    _store(stored[pair.first.input[KERNEL]], first * _along(own, axis, first.ndim))
    if len(pair.first.input) > BIAS and pair.first.input[BIAS]:
        bias = stored[pair.first.input[BIAS]]
        _store(bias, onnx.numpy_helper.to_array(bias) * own)
    if pair.second.op_type == "Gemm":
        axis = 1 if number_of(pair.second, "transB", 0) else 0
    else:
        axis = 1
        if number_of(pair.second, "group", 1) > 1:
            axis, factors = 0, np.repeat(factors, len(second) // len(factors))
    _store(stored[pair.second.input[KERNEL]], second / _along(factors, axis, second.ndim))


def _own(pair: _Pair, stored: Mapping[str, onnx.TensorProto]) -> slice:
    """Returns the channels that a pair's first layer writes."""
    is_last = pair.first.op_type == "Gemm" and not number_of(pair.first, "transB", 0)
    count = int(stored[pair.first.input[KERNEL]].dims[1 if is_last else 0])
    return slice(pair.start, pair.start + count)


def _along(factors: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    return factors.reshape([-1 if i == axis else 1 for i in range(dimensions)])


def _store(tensor: onnx.TensorProto, values: np.ndarray) -> None:
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))


def number_of(node: onnx.NodeProto, name: str, default: float) -> float:
    """Returns an attribute of a node."""
    for item in node.attribute:
        if item.name == name:
            return float(onnx.helper.get_attribute_value(item))
    return default
