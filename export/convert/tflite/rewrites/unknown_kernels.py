"""Operators that LiteRT and TFLM have integer kernels for, and the quantizer leaves in float.

It is shown another operator in their place, which it knows and which has the same one input and one
output with scales of their own.
"""

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack

CODES = schema.BuiltinOperator
HIDDEN, SHOWN = CODES.ELU, CODES.LEAKY_RELU
SLOPE = 0.0625  # of the operator that is shown; no model is known to have one of this slope itself


def hide(tree: Any) -> None:
    """Shows every ELU of a float model as a leaky ReLU."""
    codes = [known.builtinCode for known in tree.operatorCodes]
    if HIDDEN not in codes:
        return
    shown = schema.OperatorCodeT()
    shown.builtinCode = shown.deprecatedBuiltinCode = SHOWN
    shown.version = 1
    tree.operatorCodes.append(shown)
    for operator in tree.subgraphs[0].operators:
        if codes[operator.opcodeIndex] == HIDDEN:
            operator.opcodeIndex = len(codes)
            operator.builtinOptions = schema.LeakyReluOptionsT()
            operator.builtinOptions.alpha = SLOPE
            operator.builtinOptionsType = schema.BuiltinOptions.LeakyReluOptions


def reveal(model: bytes) -> bytes:
    """Returns the quantized model with every ELU itself again."""
    tree = unpack(model)
    shown = [
        operator
        for operator in tree.subgraphs[0].operators
        if isinstance(operator.builtinOptions, schema.LeakyReluOptionsT)
        and operator.builtinOptions.alpha == SLOPE
    ]
    if not shown:
        return model
    hidden = schema.OperatorCodeT()
    hidden.builtinCode = hidden.deprecatedBuiltinCode = HIDDEN
    hidden.version = 1
    tree.operatorCodes.append(hidden)
    for operator in shown:
        operator.opcodeIndex = len(tree.operatorCodes) - 1
        operator.builtinOptions, operator.builtinOptionsType = None, 0
    return pack(tree, len(model))
