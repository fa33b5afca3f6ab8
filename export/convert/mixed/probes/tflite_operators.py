"""The operators of an integer `.tflite` file, by its graph and that of its float twin."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export import layer_report
from export.convert.mixed.probes.operators import Operator, Range

CODES, TYPES = schema.BuiltinOperator, schema.TensorType
NAMES = {number: name for name, number in vars(CODES).items() if name.isupper()}
DTYPES: dict[int, type[np.integer]] = {
    TYPES.INT8: np.int8,
    TYPES.UINT8: np.uint8,
    TYPES.INT16: np.int16,
}
CONVERSIONS = (CODES.QUANTIZE, CODES.DEQUANTIZE)
STEPS = tuple(getattr(CODES, name) for name in layer_report.STEPS)
KERNEL = 1  # its place among the inputs of those below, and the axis of its output channels
CHANNEL_AXES = {CODES.CONV_2D: 0, CODES.FULLY_CONNECTED: 0, CODES.TRANSPOSE_CONV: 0}
CHANNEL_AXES[CODES.DEPTHWISE_CONV_2D] = 3


def operators_of(
    before: Any, after: Any, sources: Mapping[int, str], ranges: Mapping[str, Range]
) -> Iterator[Operator]:
    """Yields the operators of an integer graph that write what the float twin has too.

    Args:
        before: the twin, as objects of the schema.
        after: the integer file, likewise.
        sources: by tensors of the integer graph, the names of the float ones of the same values.
        ranges: what the quantized tensors can hold, by those names.
    """
    graph = after.subgraphs[0]
    stored, floats = stored_in(after), before.subgraphs[0]
    twin_of = {
        floats.tensors[i].name.decode(): each for each in floats.operators for i in each.outputs
    }
    maker = {int(i): operator for operator in graph.operators for i in operator.outputs}
    for operator in graph.operators:
        code = code_of(after, operator)
        output = next((int(i) for i in operator.outputs if i in sources), None)
        if output is None:
            continue
        name = sources[output]
        given, behind = _before(operator, maker, sources)
        steps = [c for c in (code_of(after, each) for each in behind) if c in STEPS]
        if code in CONVERSIONS and not steps:
            continue
        is_float = graph.tensors[output].type not in DTYPES
        twin = twin_of.get(name)
        weights = None if twin is None else _weights(before, twin, code)
        reads = [int(i) for i in operator.inputs if i >= 0]
        scales = _scales(graph, reads, code)
        shape = _shape(graph, output)
        yield Operator(
            name=name,
            members=(name,),
            kind=NAMES[steps[0] if steps else code],
            output=name,
            inputs=tuple(sources[i] for i in given),
            constants=() if twin is None else tuple(_constants(before, twin, code)),
            channel_axis=len(shape) - 1 if len(shape) > 1 else None,
            range=None if is_float else ranges.get(name),
            in_float=is_float,
            optional=not is_float and not steps,
            multiplications=_multiplications(graph, operator, code, stored),
            weights=weights,
            stored_numbers=0 if weights is None else weights.size,
            per_tensor=weights is not None and scales == 1 and len(weights) > 1,
        )


def _before(
    operator: Any, maker: Mapping[int, Any], sources: Mapping[int, str]
) -> tuple[list[int], list[Any]]:
    """Returns what an operator computes from, of what the float twin has too, and by what.

    Args:
        operator: the operator.
        maker: by tensors, what writes them.
        sources: the tensors that the twin has.

    Returns:
        Tensors; and the operator with those before it whose outputs the twin does not have.
    """
    given, behind = [], [operator]
    for each in behind:  # which grows
        for index in map(int, each.inputs):
            if index in sources:
                given.append(index)
            elif index in maker and not any(maker[index] is other for other in behind):
                behind.append(maker[index])
    return list(dict.fromkeys(given)), behind


def _weights(tree: Any, operator: Any, code: int) -> np.ndarray | None:
    """Returns an operator's float weights, a row for each output channel."""
    if code not in CHANNEL_AXES:
        return None
    tensor = tree.subgraphs[0].tensors[int(operator.inputs[KERNEL])]
    data = tree.buffers[tensor.buffer].data
    if tensor.type != TYPES.FLOAT32 or data is None or not len(data):
        return None
    kernel = np.asarray(data, np.uint8).view(np.float32).reshape(tensor.shape)
    by_channel = np.moveaxis(kernel, CHANNEL_AXES[code], 0)
    rows: np.ndarray = by_channel.reshape(by_channel.shape[0], -1)
    return rows


def _constants(tree: Any, operator: Any, code: int) -> Iterator[float]:
    stored = stored_in(tree)
    for place, index in enumerate(map(int, operator.inputs)):
        tensor = tree.subgraphs[0].tensors[index]
        if index in stored and tensor.type == TYPES.FLOAT32 and code not in CHANNEL_AXES:
            values = np.asarray(tree.buffers[tensor.buffer].data, np.uint8).view(np.float32)
            if place < len(operator.inputs) and values.size:
                yield float(np.abs(values).max())


def _scales(graph: Any, reads: list[int], code: int) -> int:
    if code not in CHANNEL_AXES or len(reads) <= KERNEL:
        return 0
    how = graph.tensors[reads[KERNEL]].quantization
    return 0 if how is None or how.scale is None else len(how.scale)


def _multiplications(graph: Any, operator: Any, code: int, stored: set[int]) -> int:
    """Returns how many products an operator adds up; fixed batches count as they are."""
    shapes = [_shape(graph, int(i)) for i in operator.inputs if i >= 0]
    output = math.prod(_shape(graph, int(operator.outputs[0])))
    if code in (CODES.CONV_2D, CODES.FULLY_CONNECTED):
        return output * math.prod(shapes[1][1:])
    if code == CODES.DEPTHWISE_CONV_2D:
        return output * math.prod(shapes[1][1:3])
    if code == CODES.TRANSPOSE_CONV:
        return math.prod(shapes[2]) * math.prod(shapes[1][:3])
    if code == CODES.BATCH_MATMUL:
        return output * shapes[0][-2 if operator.builtinOptions.adjX else -1]
    return 0


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    shape = graph.tensors[index].shape
    return () if shape is None else tuple(map(int, shape))


def stored_in(tree: Any) -> set[int]:
    """Returns the tensors of the graph whose numbers are in the file."""
    found = set()
    for index, tensor in enumerate(tree.subgraphs[0].tensors):
        data = tree.buffers[tensor.buffer].data
        if data is not None and len(data):
            found.add(index)
    return found


def code_of(tree: Any, operator: Any) -> int:
    """Returns what an operator is, a number of the schema."""
    found = tree.operatorCodes[operator.opcodeIndex]
    return max(int(found.builtinCode), int(found.deprecatedBuiltinCode))
