"""Inputs of bytes, such as pixels, that a `.tflite` model turns into real numbers.

TFLite's quantizer leaves that CAST in float. As quantized values with a scale of 1 the bytes stand
for themselves, and one QUANTIZE makes of them what integer kernels take.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.inputs_outputs import operator_code

CAST, QUANTIZE = schema.BuiltinOperator.CAST, schema.BuiltinOperator.QUANTIZE
TYPES = schema.TensorType
HIGHEST = 255


def take_out_casts(tree: Any) -> tuple[str, ...]:
    """Takes out what turns bytes into real numbers, so that the model takes these instead.

    Args:
        tree: a calibrated float model, its inputs named.

    Returns:
        The names of such inputs.
    """
    graph = tree.subgraphs[0]
    names = []
    for position, place in enumerate(map(int, graph.inputs)):
        tensor, readers = graph.tensors[place], _readers(graph, place)
        codes = {_code(tree, operator) for operator in readers}
        made = [int(operator.outputs[0]) for operator in readers]
        floats = {graph.tensors[index].type for index in made} == {TYPES.FLOAT32}
        if tensor.type != TYPES.UINT8 or codes != {CAST} or not floats:
            continue
        if {*made} & {*map(int, graph.outputs)}:
            continue
        real = graph.tensors[made[0]]
        names.append(tensor.name.decode())
        real.name, tensor.name = tensor.name, tensor.name + b"/bytes"
        real.quantization = schema.QuantizationParametersT(
            min=np.zeros(1, np.float32), max=np.full(1, HIGHEST, np.float32)
        )
        graph.operators = [op for op in graph.operators if op not in readers]
        for operator in graph.operators:
            operator.inputs = np.where(np.isin(operator.inputs, made), made[0], operator.inputs)
        _set_input(tree, position, made[0])
    return tuple(names)


def give_back_bytes(tree: Any, names: tuple[str, ...]) -> None:
    """Has a quantized model take bytes as they are for some inputs.

    Args:
        tree: the model, its inputs named.
        names: the inputs.
    """
    graph = tree.subgraphs[0]
    for position, place in enumerate(map(int, graph.inputs)):
        tensor = graph.tensors[place]
        if tensor.name.decode() not in names:
            continue
        if tensor.type == TYPES.INT8:
            graph.tensors.append(
                schema.TensorT(
                    name=tensor.name, shape=tensor.shape, shapeSignature=tensor.shapeSignature
                )
            )
            tensor.name += b"/int8"
            given = len(graph.tensors) - 1
            operator = schema.OperatorT(
                opcodeIndex=operator_code(tree, QUANTIZE),
                inputs=np.asarray([given], np.int32),
                outputs=np.asarray([place], np.int32),
            )
            graph.operators.insert(0, operator)
            _set_input(tree, position, given)
            tensor = graph.tensors[given]
        # else only a QUANTIZE reads it: the quantizer put it there for other inputs than int8
        tensor.type = TYPES.UINT8
        tensor.quantization = schema.QuantizationParametersT(
            scale=np.ones(1, np.float32), zeroPoint=np.zeros(1, np.int64)
        )


def _readers(graph: Any, place: int) -> list[Any]:
    return [operator for operator in graph.operators if place in operator.inputs]


def _code(tree: Any, operator: Any) -> int:
    return int(tree.operatorCodes[operator.opcodeIndex].builtinCode)


def _set_input(tree: Any, position: int, place: int) -> None:
    """Makes another tensor the input; those of the signature are in the same order."""
    graph = tree.subgraphs[0]
    graph.inputs = graph.inputs.copy()  # of a file as it is read, it cannot be changed
    graph.inputs[position] = place
    for named in tree.signatureDefs or ():
        named.inputs[position].tensorIndex = place
