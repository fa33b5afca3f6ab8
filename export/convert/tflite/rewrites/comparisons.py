"""Comparisons with a constant, and whether any of some hold, in integers.

The quantizer leaves comparisons in float, though LiteRT and TFLM have integer kernels; masks of
sequences are such. TFLM lacks REDUCE_ANY, but has the maximum.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.recurrent.builder import (
    CODES,
    TYPES,
    YES_OR_NO,
    Builder,
    without_unread,
)

COMPARED = (CODES.EQUAL, CODES.NOT_EQUAL)
CLOSE = 1e-3  # of a step: what a constant may be off a quantized value


def in_integers(content: bytes) -> bytes:
    """Returns a quantized model whose comparisons with constants are in integers, where exact."""
    tree = unpack(content)
    graph = tree.subgraphs[0]
    on = Builder(tree, graph, "comparison")
    made = {int(i): operator for operator in graph.operators for i in operator.outputs}
    changed = False
    numbers: dict[int, int] = {}  # truth values as ones and zeros, of several reductions once
    for operator in graph.operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        if code in COMPARED and _compare(on, operator, made):
            changed = True
        if code == CODES.REDUCE_ANY:
            changed = True
            _reduce(on, operator, numbers)
        else:
            on.made.append(operator)
    if not changed:
        return content
    graph.operators = without_unread(tree, on.made, CODES.DEQUANTIZE)
    return pack(tree, len(content))


def _compare(on: Builder, operator: Any, made: dict[int, Any]) -> bool:
    """Has a comparison read integers; returns whether that is exact."""
    tree, graph = on.tree, on.graph
    x, constant = map(int, operator.inputs)
    maker = made.get(x)
    data = tree.buffers[graph.tensors[constant].buffer].data
    if (
        maker is None
        or tree.operatorCodes[maker.opcodeIndex].builtinCode != CODES.DEQUANTIZE
        or graph.tensors[constant].type != TYPES.FLOAT32
        or data is None
    ):
        return False
    integers = int(maker.inputs[0])
    if on.type_of(integers) != TYPES.INT8:
        return False
    scale, zero_point = on.scale_of(integers)
    if scale >= 1:
        return False
    values = np.asarray(data, np.uint8).view(np.float32) / scale + zero_point
    stored = np.rint(values)
    limits = np.iinfo(np.int8)
    if np.abs(stored - values).max() > CLOSE or not limits.min <= stored.min() <= limits.max:
        return False
    shape = on.shape_of(constant)
    compared = on.constant(stored.reshape(shape), TYPES.INT8, scale, zero_point)
    operator.inputs = np.asarray([integers, compared], np.int32)
    return True


def _reduce(on: Builder, operator: Any, numbers: dict[int, int]) -> None:
    """Makes "any" of truth values by the maximum of ones and zeros."""
    x, axes = map(int, operator.inputs)
    output = int(operator.outputs[0])
    if x not in numbers:
        numbers[x] = on.tensor(on.shape_of(x), TYPES.INT8, *YES_OR_NO)
        on.add(CODES.CAST, [x], [numbers[x]], inDataType=TYPES.BOOL, outDataType=TYPES.INT8)
    largest = on.tensor(on.shape_of(output), TYPES.INT8, *YES_OR_NO)
    reduced = on.add(CODES.REDUCE_MAX, [numbers[x], axes], [largest])
    reduced.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
    reduced.builtinOptions = operator.builtinOptions
    none = on.constant(0, TYPES.INT8, *YES_OR_NO)
    on.add(CODES.NOT_EQUAL, [largest, none], [output])
