"""Values of 8 bits that are moved keep their unit.

Kernels that only move values copy the integers. The quantizer (2.21) sees to it that both sides
have one unit, but not where an LSTM operator gives the values: it keeps its own, and what is
concatenated with it is off. Two directions of a layer are such.
"""

from typing import Any

from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder

MOVING = (
    *(CODES.CONCATENATION, CODES.PACK, CODES.RESHAPE, CODES.REVERSE_V2, CODES.SLICE),
    *(CODES.STRIDED_SLICE, CODES.TRANSPOSE, CODES.SQUEEZE, CODES.EXPAND_DIMS, CODES.GATHER),
)


def in_one_unit(tree: Any, operators: list[Any]) -> list[Any]:
    """Returns operators of a model's first graph, with what requantizes where units differ."""
    on = Builder(tree, tree.subgraphs[0], "unit")
    for operator in operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        if code in MOVING and on.type_of(operator.outputs[0]) == TYPES.INT8:
            unit = on.scale_of(operator.outputs[0])
            for place, index in enumerate(operator.inputs):
                if on.type_of(index) == TYPES.INT8 and on.scale_of(index) != unit:
                    same = on.tensor(on.shape_of(index), TYPES.INT8, *unit)
                    on.add(CODES.QUANTIZE, [int(index)], [same])
                    operator.inputs = operator.inputs.copy()
                    operator.inputs[place] = same
        on.made.append(operator)
    return on.made
