"""Weights of an integer `.onnx` file, rounded by what their layers read (GPTQ)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from export.convert.calibrate.bias import NothingToCorrectError
from export.convert.calibrate.calibration import onnx_values
from export.convert.calibrate.moments import Pair, Reader, Window, moments_of, with_room
from export.convert.calibrate.rounding import NOTHING, Roundings
from export.convert.onnx.calibrate.bias import KERNEL, Stored, conversions_of
from export.convert.onnx.calibrate.equalize import by_output, number_of

LAYERS = ("Conv", "Gemm", "MatMul")
LEVELS: dict[int, Pair] = {onnx.TensorProto.INT8: (-127, 127), onnx.TensorProto.UINT8: (0, 255)}
SEVEN_BITS = (-64, 64)
DIMENSIONS = {"Gemm": (2,), "MatMul": (2,), "Conv": (3, 4)}  # of kernels; those of volumes are not


@dataclass(frozen=True, kw_only=True)
class _Layer(Reader):
    """A layer of an integer file.

    Attributes:
        node: of the float model.
        conversion: what turns the stored kernel into real numbers.
        weights: the float kernel.
    """

    node: onnx.NodeProto
    conversion: onnx.NodeProto
    weights: np.ndarray


def round_by_inputs(
    model: onnx.ModelProto,
    prepared: onnx.ModelProto,
    inputs: Mapping[str, np.ndarray],
    known: Roundings,
    *,
    seven_bits: bool,
) -> None:
    """Rounds the weights of a QDQ model so that the layers' outputs err least.

    Scales and ranges stay. Which layers are left as they are, `moments.with_room` says.

    Args:
        model: the quantized model, changed in place.
        prepared: the float model, whose nodes bear the same names.
        inputs: calibration examples (N, …) by name.
        known: of the float model's layers; moments are found if it has none.
        seven_bits: whether signed weights have no more.

    Raises:
        NothingToCorrectError: no layer has weights that can be rounded so.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    found = list(_layers(model.graph, prepared.graph, stored))
    layers = with_room(found, sum(layer.weights.size for layer in found))
    if not layers:
        raise NothingToCorrectError(NOTHING)
    if not known.moments:
        read = dict.fromkeys(layer.tensor for layer in layers)
        known.moments |= moments_of(onnx_values(prepared, read, inputs), layers)
    for layer in layers:
        if layer.name in known.moments:
            _round(layer, stored, known, seven_bits=seven_bits)


def _layers(graph: onnx.GraphProto, floats: onnx.GraphProto, stored: Stored) -> Iterator[_Layer]:
    """Yields the layers of a quantized graph whose kernels are stored, and are theirs alone."""
    kernels = {tensor.name: tensor for tensor in floats.initializer}
    known = {node.name: node for node in floats.node if node.op_type in LAYERS}
    conversions = conversions_of(graph)
    for node in graph.node:
        own = known.get(node.name)
        conversion = conversions.get(node.input[KERNEL]) if own is not None else None
        if own is None or conversion is None or own.input[KERNEL] not in kernels:
            continue
        if any(name not in stored for name in conversion.input):
            continue
        if stored[conversion.input[0]].data_type not in LEVELS or _readers(graph, conversion) > 1:
            continue
        weights = onnx.numpy_helper.to_array(kernels[own.input[KERNEL]])
        reader = _reader(own, weights)
        if reader is not None:
            yield _Layer(**vars(reader), node=own, conversion=conversion, weights=weights)


def _readers(graph: onnx.GraphProto, conversion: onnx.NodeProto) -> int:
    """Returns how many nodes read a stored kernel, or what it is converted to."""
    same = [node for node in graph.node if conversion.input[0] in node.input]
    return max(len(same), sum(conversion.output[0] in node.input for node in graph.node))


def _reader(node: onnx.NodeProto, weights: np.ndarray) -> Reader | None:
    """Returns how a layer reads; None where it is not known, as of convolutions in groups."""
    if weights.ndim not in DIMENSIONS[node.op_type]:
        return None
    name, tensor, groups = node.input[KERNEL], node.input[0], int(number_of(node, "group", 1))
    if node.op_type != "Conv":
        if number_of(node, "transA", 0):
            return None
        inputs = weights.shape[1 if number_of(node, "transB", 0) else 0]
        return Reader(name=name, tensor=tensor, inputs=inputs)
    window = _window(node, weights.shape[2:])
    depthwise = groups > 1 and weights.shape[:2] == (groups, 1)
    if window is None or (groups > 1 and not depthwise):
        return None
    return Reader(
        name=name,
        tensor=tensor,
        inputs=int(np.prod(weights.shape[1:])),
        channels=groups,
        window=window,
        channels_first=True,
    )


def _window(node: onnx.NodeProto, size: tuple[int, ...]) -> Window | None:
    """Returns what a convolution's kernel lies on; None where padding is at the lower end."""
    found = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    axes = len(size)
    padding = found.get("auto_pad", b"NOTSET").decode()
    if padding == "SAME_LOWER":
        return None

    def both(name: str, start: int, other: int) -> Pair:
        """Returns an attribute's numbers of height and width, `other` where there is no height."""
        given = found.get(name)
        values = [other] * axes if given is None else [int(each) for each in given][start:]
        return (other, values[0]) if axes == 1 else (values[0], values[1])

    before, after = both("pads", 0, 0), both("pads", axes, 0)
    return Window(
        size=(1, size[0]) if axes == 1 else (size[0], size[1]),
        strides=both("strides", 0, 1),
        dilation=both("dilations", 0, 1),
        pads=None if padding == "SAME_UPPER" else ((before[0], after[0]), (before[1], after[1])),
    )


def _round(layer: _Layer, stored: Stored, known: Roundings, *, seven_bits: bool) -> None:
    """Stores a kernel's weights anew."""
    tensor = stored[layer.conversion.input[0]]
    steps, *zeros = (
        onnx.numpy_helper.to_array(stored[name]).reshape(-1) for name in layer.conversion.input[1:]
    )
    zero = zeros[0].astype(np.int32) if zeros else np.zeros(1, np.int32)
    is_signed = tensor.data_type == onnx.TensorProto.INT8
    lowest, highest = SEVEN_BITS if seven_bits and is_signed else LEVELS[tensor.data_type]
    rows = by_output(layer.node, layer.weights)
    flat = rows.reshape(len(rows), -1)
    steps = steps.astype(np.float64)
    levels = known.rounded(layer.name, flat, steps, lowest - zero, highest - zero)
    levels = (levels + np.broadcast_to(zero, len(levels))[:, np.newaxis]).reshape(rows.shape)
    values = _as_stored(layer, levels).astype(np.int8 if is_signed else np.uint8)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _as_stored(layer: _Layer, rows: np.ndarray) -> np.ndarray:
    """Returns rows of `by_output` in the shape of the kernel."""
    shape = layer.weights.shape
    if layer.node.op_type == "Conv":
        return np.moveaxis(rows, 1, 2).reshape(shape)
    return rows[:, 0] if number_of(layer.node, "transB", 0) else np.ascontiguousarray(rows[:, 0].T)
