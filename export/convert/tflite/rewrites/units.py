"""Integers that are moved keep their unit.

Kernels that only move values copy the integers. The quantizer (2.21) sees to it that both sides
have one unit, but not of what ONE_HOT and REVERSE_V2 write, nor where an LSTM operator gives the
values. Ones and zeros beside numbers of another range became the ends of that, such as 1.74 and
-1.72, and two directions of a layer were off.
"""

from typing import Any

import numpy as np

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.recurrent.builder import CODES, NUMPY, TYPES, Builder

MOVING = (
    *(CODES.CONCATENATION, CODES.ONE_HOT, CODES.PACK, CODES.RESHAPE, CODES.REVERSE_V2),
    *(CODES.SLICE, CODES.STRIDED_SLICE, CODES.TRANSPOSE, CODES.SQUEEZE, CODES.EXPAND_DIMS),
    CODES.GATHER,
)
LIMITS = {TYPES.INT8: (-128, 127), TYPES.INT16: (-32768, 32767)}


def with_one_unit(content: bytes) -> bytes:
    """Returns a quantized model whose moving operators have one unit on both sides."""
    tree = unpack(content)
    graph = tree.subgraphs[0]
    tensors = len(graph.tensors)
    graph.operators = in_one_unit(tree, graph.operators)
    return content if len(graph.tensors) == tensors else pack(tree, len(content))


def in_one_unit(tree: Any, operators: list[Any]) -> list[Any]:
    """Returns operators of a model's first graph, with what requantizes where units differ."""
    on = Builder(tree, tree.subgraphs[0], "unit")
    for operator in operators:
        if on.code_of(operator) in MOVING and _has_unit(on, operator.outputs[0]):
            for place, index in enumerate(operator.inputs):
                if _has_unit(on, index):
                    inputs = operator.inputs.copy()
                    inputs[place] = _in_unit_of(on, int(operator.outputs[0]), int(index))
                    operator.inputs = inputs
        on.made.append(operator)
    return on.made


def _has_unit(on: Builder, index: int) -> bool:
    found = on.graph.tensors[index].quantization
    has_scale = found is not None and found.scale is not None and len(found.scale) == 1
    return has_scale and on.type_of(index) in LIMITS


def _in_unit_of(on: Builder, output: int, index: int) -> int:
    """Returns a tensor, or one that holds the same in the unit of another."""
    dtype, unit, own = on.type_of(output), on.scale_of(output), on.scale_of(index)
    if on.type_of(index) != dtype or unit == own:
        return index
    stored = on.stored(index)
    if stored is None:
        same = on.tensor(on.shape_of(index), dtype, *unit)
        on.add(CODES.QUANTIZE, [index], [same])
        return same
    values = (stored.view(NUMPY[dtype]).astype(np.float64) - own[1]) * own[0]
    levels = np.clip(np.rint(values / unit[0] + unit[1]), *LIMITS[dtype])
    return on.constant(levels.reshape(on.shape_of(index)), dtype, *unit)
