"""The operators of an integer `.onnx` file, by its nodes and those of the float model."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import onnx

from export.convert.mixed.probes.operators import Operator, Range
from export.convert.onnx.quantizer import QUANTIZED_OPERATORS
from export.verify.graph.onnx import MOVES

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
BEFORE_ROUNDING = "_QuantizeLinear_Input"
WEIGHT = 1  # its place among a product's inputs
CHANNELS_FIRST = ("Conv", "ConvTranspose")
PRODUCTS = (*CHANNELS_FIRST, "Gemm", "MatMul")


def ranges_of(model: onnx.ModelProto) -> dict[str, Range]:
    """Returns what each tensor that a QDQ file quantizes can hold, by name."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type == QUANTIZE and node.input[0] not in stored:
            scale = float(onnx.numpy_helper.to_array(stored[node.input[1]]))
            zero = onnx.numpy_helper.to_array(stored[node.input[2]])
            limits = np.iinfo(zero.dtype)
            low, high = ((limit - float(zero)) * scale for limit in (limits.min, limits.max))
            found[exact_name(node.input[0])] = Range(low=low, high=high, step=scale)
    return found


def exact_name(tensor: str) -> str:
    """Returns what a tensor is called in the float model; outputs have two names in the file."""
    return tensor.removesuffix(BEFORE_ROUNDING)


def operators_of(prepared: onnx.ModelProto, quantized: onnx.ModelProto) -> Iterator[Operator]:
    """Yields the operators that a QDQ file computes of quantized values.

    Args:
        prepared: the float model, with inferred shapes.
        quantized: the file. An activation whose limits are those of a range is no node of it.
    """
    floats = {node.name: node for node in prepared.graph.node}
    maker = {name: node for node in prepared.graph.node for name in node.output if name}
    shapes = _shapes(prepared)
    constants = {tensor.name: tensor for tensor in prepared.graph.initializer}
    stored = {tensor.name: tensor for tensor in quantized.graph.initializer}
    conversions = {n.output[0]: n for n in quantized.graph.node if n.op_type == DEQUANTIZE}
    source = {n.output[0]: n.input[0] for n in quantized.graph.node if n.op_type == QUANTIZE}
    ranges = ranges_of(quantized)
    given = {value.name for value in prepared.graph.input}
    for node in quantized.graph.node:
        float_node = floats.get(node.name)
        if node.op_type in (QUANTIZE, DEQUANTIZE) or float_node is None:
            continue
        reads = [
            source.get(conversions[name].input[0], "") if name in conversions else name
            for name in node.input
        ]
        optional = node.op_type in QUANTIZED_OPERATORS
        is_integer = (optional or node.op_type in MOVES) and any(
            name in conversions for name in node.input
        )
        # of what nothing reads, it has no name
        output = exact_name(next(filter(None, node.output)))
        if output not in maker and output not in float_node.output:
            continue
        members = [node.name]
        if output not in float_node.output:
            members.append(maker[output].name)
        weights, scales = _weights(float_node, node, constants, conversions, stored)
        shape = shapes.get(float_node.output[0], ())
        axis = 1 if node.op_type in CHANNELS_FIRST or len(shape) == 4 else len(shape) - 1
        yield Operator(
            name=node.name,
            members=tuple(members),
            kind=node.op_type,
            output=output,
            inputs=tuple(name for name in reads if name in maker or name in given),
            constants=tuple(_extremes(float_node, constants)),
            channel_axis=axis if len(shape) > 1 else None,
            range=ranges.get(output),
            in_float=not is_integer,
            optional=optional and is_integer,
            multiplications=_multiplications(float_node, shapes, constants),
            weights=weights,
            stored_numbers=0 if weights is None else weights.size,
            per_tensor=weights is not None and scales == 1 and len(weights) > 1,
        )


def _weights(
    float_node: onnx.NodeProto,
    node: onnx.NodeProto,
    constants: Mapping[str, onnx.TensorProto],
    conversions: Mapping[str, onnx.NodeProto],
    stored: Mapping[str, onnx.TensorProto],
) -> tuple[np.ndarray | None, int]:
    """Returns a product's float weights, a row for each output channel, and how many scales."""
    if node.op_type not in PRODUCTS or float_node.input[WEIGHT] not in constants:
        return None, 0
    values = onnx.numpy_helper.to_array(constants[float_node.input[WEIGHT]]).astype(np.float32)
    transposed = any(item.name == "transB" and item.i for item in float_node.attribute)
    if node.op_type == "ConvTranspose":
        values = np.moveaxis(values, 1, 0)
    elif node.op_type in ("Gemm", "MatMul") and not transposed:
        values = np.moveaxis(values, -1, 0)
    conversion = conversions.get(node.input[WEIGHT])
    scale = None if conversion is None else stored.get(conversion.input[1])
    count = 0 if scale is None else onnx.numpy_helper.to_array(scale).size
    return values.reshape(values.shape[0], -1), count


def _extremes(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> Iterator[float]:
    if node.op_type in PRODUCTS:
        return
    for name in node.input:
        values = onnx.numpy_helper.to_array(constants[name]) if name in constants else np.empty(0)
        if values.dtype == np.float32 and values.size:
            yield float(np.abs(values).max())


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all tensors by name, of a batch of one where that is open."""
    known = onnx.shape_inference.infer_shapes(model).graph
    values = (*known.input, *known.value_info, *known.output)
    found = {
        value.name: tuple(size.dim_value or 1 for size in value.type.tensor_type.shape.dim)
        for value in values
    }
    return found | {tensor.name: tuple(tensor.dims) for tensor in known.initializer}


def _multiplications(
    node: onnx.NodeProto,
    shapes: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, onnx.TensorProto],
) -> int:
    """Returns how many products an operator adds up for one example."""
    if node.op_type not in PRODUCTS:
        return 0
    given, weight = (shapes.get(name, ()) for name in node.input[:2])
    output = math.prod(shapes.get(node.output[0], (0,)))
    if node.op_type == "Conv":
        return output * math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(given) * math.prod(weight[1:])
    return output * (given[-1] if given else 0)
