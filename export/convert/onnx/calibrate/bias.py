"""Biases of an integer `.onnx` file that take back what rounded weights add on average."""

from collections.abc import Mapping

import numpy as np
import onnx

from export.convert.calibrate.bias import NOTHING, NothingToCorrectError, corrections, means_of
from export.convert.calibrate.calibration import onnx_values
from export.convert.onnx.calibrate.equalize import by_output, number_of

LAYERS = ("Conv", "Gemm")
KERNEL, BIAS = 1, 2  # their places among a layer's inputs
CHANNELS_FIRST = 1
Stored = Mapping[str, onnx.TensorProto]


def correct_biases(
    model: onnx.ModelProto, prepared: onnx.ModelProto, inputs: Mapping[str, np.ndarray]
) -> None:
    """Corrects the biases of a QDQ model.

    Args:
        model: the quantized model, changed in place.
        prepared: the float model, whose nodes bear the same names.
        inputs: calibration examples (N, …) by name.

    Raises:
        NothingToCorrectError: there is no bias to correct.
    """
    floats = {tensor.name: tensor for tensor in prepared.graph.initializer}
    known = {node.name: node for node in prepared.graph.node if _is_layer(node, floats)}
    layers = [node for node in model.graph.node if node.name in known and node.op_type in LAYERS]
    read = {known[node.name].input[0] for node in layers}
    examples = (
        {name: np.moveaxis(values[name], CHANNELS_FIRST, -1) for name in read & values.keys()}
        for values in onnx_values(prepared, read, inputs)
    )
    widths = {known[n.name].input[0]: _width(known[n.name], floats) for n in layers}
    means = means_of(examples, widths)
    changed = 0
    for node in layers:
        own = known[node.name]
        weights = onnx.numpy_helper.to_array(floats[own.input[KERNEL]])
        changed += _correct(model.graph, node, weights, means[own.input[0]])
    if not changed:
        raise NothingToCorrectError(NOTHING)


def conversions_of(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Returns the nodes that turn integers into real numbers, by the names of these."""
    return {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}


def _is_layer(node: onnx.NodeProto, floats: Stored) -> bool:
    return node.op_type in LAYERS and len(node.input) > BIAS and node.input[KERNEL] in floats


def _width(node: onnx.NodeProto, floats: Stored) -> int:
    """Returns how many channels a layer reads."""
    shape = floats[node.input[KERNEL]].dims
    if node.op_type == "Gemm":
        return int(shape[1 if number_of(node, "transB", 0) else 0])
    return int(shape[1] * number_of(node, "group", 1))


def _correct(
    graph: onnx.GraphProto, node: onnx.NodeProto, weights: np.ndarray, means: np.ndarray
) -> bool:
    """Corrects a layer's bias; returns whether it has one of its own."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    conversions = conversions_of(graph)
    kernel, bias = (conversions.get(node.input[place]) for place in (KERNEL, BIAS))
    if kernel is None or bias is None or bias.input[0] not in stored:
        return False
    if sum(bias.input[0] in each.input for each in graph.node) > 1:
        return False
    rounded = meaning_of(kernel, stored)
    if rounded is None or rounded.shape != weights.shape:
        return False
    both = [by_output(node, each) for each in (rounded, weights)]
    if number_of(node, "group", 1) > 1:
        if both[0].shape[-1] > 1:  # each output reads several channels of its group
            return False
        means = np.repeat(means, len(rounded) // len(means))[:, np.newaxis]
    found = corrections(both[0], both[1], means)
    if found is None:
        return False
    scale = onnx.numpy_helper.to_array(stored[bias.input[1]]).astype(np.float64)
    tensor = stored[bias.input[0]]
    corrected = np.rint(onnx.numpy_helper.to_array(tensor) - found / scale)
    tensor.CopyFrom(onnx.numpy_helper.from_array(corrected.astype(np.int32), tensor.name))
    return True


def meaning_of(conversion: onnx.NodeProto, stored: Stored) -> np.ndarray | None:
    """Returns what stored integers mean; None where they are computed."""
    if any(name not in stored for name in conversion.input):
        return None
    values, scale, *zero = (onnx.numpy_helper.to_array(stored[name]) for name in conversion.input)
    along = [1] * values.ndim
    along[int(number_of(conversion, "axis", 1)) if scale.size > 1 else 0] = scale.size
    zeros = zero[0].astype(np.float64).reshape(along) if zero else 0.0
    meant: np.ndarray = (values.astype(np.float64) - zeros) * scale.reshape(along)
    return meant
