"""The inputs and outputs of a `.tflite` model: their order, names, and tensors of their own.

TensorFlow's converter orders them by the names in the SavedModel's signature, and gives one tensor
to an output that is an input or is given twice: https://github.com/tensorflow/tensorflow/issues/57693
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

RESHAPE = schema.BuiltinOperator.RESHAPE
OLD_CODES = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES  # 127, what 8 bits hold
INTEGERS: dict[str, tuple[int, type[np.integer]]] = {
    "int8": (schema.TensorType.INT8, np.int8),
    "uint8": (schema.TensorType.UINT8, np.uint8),
    "int16": (schema.TensorType.INT16, np.int16),
}


def arrange(
    tree: Any, inputs: Sequence[str], outputs: Sequence[str], shared: Mapping[str, str]
) -> None:
    """Gives a model's inputs and outputs names, in this order.

    Args:
        tree: the model, of one signature at most.
        inputs: the names of the inputs.
        outputs: the names of the outputs; one whose tensor is an input, or an earlier output, gets
            its name from `separate`.
        shared: outputs that were taken out, and the inputs or outputs that they are.
    """
    graph = tree.subgraphs[0]
    named = tree.signatureDefs[0] if tree.signatureDefs else None
    taken: dict[str, int] = {}
    for side, names in (("inputs", inputs), ("outputs", outputs)):
        there = [name for name in names if name not in shared]
        # the signature knows which is which; without one, they are in order
        entries = getattr(named, side) if named else ()
        places = {entry.name.decode(): int(entry.tensorIndex) for entry in entries}
        if places.keys() != set(there):
            places = dict(zip(there, map(int, getattr(graph, side)), strict=True))
        for name in names:
            if name not in places:
                places[name] = taken[shared[name]]
            if places[name] not in taken.values():
                graph.tensors[places[name]].name = name.encode()
            taken[name] = places[name]
        setattr(graph, side, np.asarray([places[name] for name in names], np.int32))
        if named:
            ordered = [schema.TensorMapT(name=n.encode(), tensorIndex=places[n]) for n in names]
            setattr(named, side, ordered)


def take_out_shared(tree: Any, outputs: Sequence[str]) -> dict[str, str]:
    """Takes out outputs that are inputs or earlier outputs: the quantizer goes by tensors' names.

    Args:
        tree: the model, as `arrange` leaves it.
        outputs: the names of the outputs.

    Returns:
        The names of the outputs taken out, and of what they are.
    """
    graph = tree.subgraphs[0]
    taken, shared = {*map(int, graph.inputs)}, {}
    for name, place in zip(outputs, map(int, graph.outputs), strict=True):
        if place in taken:
            shared[name] = graph.tensors[place].name.decode()
        taken.add(place)
    left = [position for position, name in enumerate(outputs) if name not in shared]
    graph.outputs = graph.outputs[left]
    for named in tree.signatureDefs or ():
        named.outputs = [named.outputs[position] for position in left]
    return shared


def separate(tree: Any, outputs: Sequence[str]) -> None:
    """Gives a tensor of its own to an output that is an input, or is given twice.

    Args:
        tree: the model, as `arrange` leaves it.
        outputs: the names of the outputs.
    """
    graph = tree.subgraphs[0]
    taken = {*map(int, graph.inputs)}
    for position, name in enumerate(outputs):
        place = int(graph.outputs[position])
        if place in taken:
            place = _copied(tree, place)
            graph.tensors[place].name = name.encode()
            graph.outputs[position] = place
            for named in tree.signatureDefs or ():
                named.outputs[position].tensorIndex = place
        taken.add(place)


def quantize_idle(tree: Any, dtype: str, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Gives an integer type to inputs that nothing reads and to outputs that nothing writes.

    The quantizer leaves them in float: it goes by the operators.

    Args:
        tree: an integer model, its inputs and outputs named.
        dtype: of its inputs and outputs, a key of `INTEGERS`.
        ranges: lowest and highest value of the inputs, by name.
    """
    graph = tree.subgraphs[0]
    read = {int(index) for op in graph.operators for index in op.inputs}
    made = {int(index) for op in graph.operators for index in op.outputs}
    idle = ({*map(int, graph.inputs)} - read) | ({*map(int, graph.outputs)} - made)
    for tensor in (graph.tensors[index] for index in sorted(idle)):
        if tensor.type != schema.TensorType.FLOAT32:
            continue
        buffer, values = tree.buffers[tensor.buffer], None
        if buffer.data is not None and len(buffer.data):
            values = np.asarray(buffer.data, np.uint8).view(np.float32)
        low, high = ranges[tensor.name.decode()] if values is None else (values.min(), values.max())
        scale, zero_point = _scale(float(low), float(high), dtype)
        tensor.type, stored = INTEGERS[dtype]
        tensor.quantization = schema.QuantizationParametersT(
            scale=np.asarray([scale], np.float32), zeroPoint=np.asarray([zero_point], np.int64)
        )
        if values is not None:  # a constant may be read elsewhere, as it is
            limits = np.iinfo(stored)
            quantized = np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max)
            tensor.buffer = _added(tree, quantized.astype(stored))


def _scale(low: float, high: float, dtype: str) -> tuple[float, int]:
    """Returns scale and zero point for values between two, as TFLite's quantizer chooses them."""
    low, high = min(low, 0.0), max(high, 0.0)
    limits = np.iinfo(INTEGERS[dtype][1])
    if dtype == "int16":
        return max(-low, high) / limits.max or 1.0, 0
    scale = (high - low) / (limits.max - limits.min) or 1.0
    return scale, round(limits.min - low / scale)


def _copied(tree: Any, index: int) -> int:
    """Appends a RESHAPE to the same shape; returns the place of what it gives."""
    graph = tree.subgraphs[0]
    tensor = graph.tensors[index]
    signed = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    shape = np.asarray(signed, np.int32)
    graph.tensors += [
        schema.TensorT(
            name=f"{len(graph.tensors)}/shape".encode(),
            shape=np.asarray(shape.shape, np.int32),
            type=schema.TensorType.INT32,
            buffer=_added(tree, shape),
        ),
        schema.TensorT(
            shape=tensor.shape,
            shapeSignature=tensor.shapeSignature,
            type=tensor.type,
            quantization=tensor.quantization,
        ),
    ]
    place = len(graph.tensors) - 1
    options = schema.ReshapeOptionsT(newShape=shape)
    operator = schema.OperatorT(
        opcodeIndex=operator_code(tree, RESHAPE),
        inputs=np.asarray([index, place - 1], np.int32),
        outputs=np.asarray([place], np.int32),
        builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
        builtinOptions=options,
    )
    graph.operators.append(operator)
    return place


def operator_code(tree: Any, operator: int) -> int:
    """Returns the number of an operator of the schema in a model, added where it has none."""
    for number, code in enumerate(tree.operatorCodes):
        if code.builtinCode == operator:
            return number
    tree.operatorCodes.append(
        schema.OperatorCodeT(
            builtinCode=operator, deprecatedBuiltinCode=min(operator, OLD_CODES), version=1
        )
    )
    return len(tree.operatorCodes) - 1


def _added(tree: Any, values: np.ndarray) -> int:
    """Returns the place of a new buffer with these values."""
    tree.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    return len(tree.buffers) - 1
