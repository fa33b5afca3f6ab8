"""The file that a program is proven by, where LiteRT lacks reference kernels of its own."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack

ZERO = 128  # what is added to a value of int8, so that it is a place in a table


def provable(model: bytes, tables: Mapping[int, np.ndarray]) -> bytes:
    """Returns a file with look-ups in tables for operators that have no reference kernel.

    Args:
        model: the file.
        tables: by the place of each such operator in the network, its results (256,) int8 by the
            unsigned value of the int8 input.
    """
    tree = unpack(model)
    graph = tree.subgraphs[0]
    operators = []
    for place, operator in enumerate(graph.operators):
        if place in tables:
            operators += _look_up(tree, graph, operator, tables[place])
        else:
            operators.append(operator)
    graph.operators = operators
    return pack(tree, 2 * len(model))


def _look_up(tree: Any, graph: Any, operator: Any, table: np.ndarray) -> list[Any]:
    """Returns a cast to int32, a sum with 128 and a look-up, in place of an operator."""
    (given,), (made,) = operator.inputs, operator.outputs
    number, place = (
        _tensor(graph, shape=graph.tensors[given].shape, kind=schema.TensorType.INT32)
        for _ in range(2)
    )
    zero = _constant(tree, graph, np.asarray([ZERO], np.int32), schema.TensorType.INT32)
    results = _constant(tree, graph, np.roll(table, ZERO), schema.TensorType.INT8)
    graph.tensors[results].quantization = copy.copy(graph.tensors[made].quantization)
    kinds, options = schema.BuiltinOperator, schema.BuiltinOptions
    gather = schema.GatherOptionsT()
    gather.axis = 0
    return [
        _operator(tree, kinds.CAST, [given], number, options.CastOptions, schema.CastOptionsT()),
        _operator(tree, kinds.ADD, [number, zero], place, options.AddOptions, schema.AddOptionsT()),
        _operator(tree, kinds.GATHER, [results, place], made, options.GatherOptions, gather),
    ]


def _tensor(graph: Any, *, shape: Any, kind: int, buffer: int = 0) -> int:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer = list(shape), kind, buffer
    tensor.name = f"proof_{len(graph.tensors)}".encode()
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(tree: Any, graph: Any, values: np.ndarray, kind: int) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    tree.buffers.append(buffer)
    return _tensor(graph, shape=values.shape, kind=kind, buffer=len(tree.buffers) - 1)


def _operator(tree: Any, code: int, inputs: list[int], output: int, kind: int, options: Any) -> Any:
    known = schema.OperatorCodeT()
    known.builtinCode = known.deprecatedBuiltinCode = code
    known.version = 1
    tree.operatorCodes.append(known)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(tree.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, [output]
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator
