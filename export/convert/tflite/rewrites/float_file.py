"""Rewrites operators of a float `.tflite` file that its quantizer would leave in float.

One of them in a network, and it needs float arithmetic. What replaces it computes the same and has
integer kernels. After conversion, because the converter recognizes GELU by a negation or a power.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.rewrites.editor import CODES, Editor
from export.convert.tflite.rewrites.limits import is_float, maximum, minimum

FLOAT32, BOOL = schema.TensorType.FLOAT32, schema.TensorType.BOOL
ACTIVATIONS = schema.ActivationFunctionType
MOST_FACTORS = 4  # of a power that becomes a product


Rewrite = Callable[[Editor, Any], list[Any] | None]


def rewrite(model: bytes, activations: str) -> bytes:
    """Returns a float model without operators that the quantizer to `int8` or `int16` lacks.

    As far as there are others for them; else as it is.
    """
    tree = unpack(model)
    graph, table = tree.subgraphs[0], REWRITES[activations]
    edit, operators, changed = Editor(tree), [], False
    for operator in graph.operators:
        rewrite = table.get(tree.operatorCodes[operator.opcodeIndex].builtinCode)
        others = None if rewrite is None else rewrite(edit, operator)
        changed |= others is not None
        operators += [operator] if others is None else others
    if not changed:
        return model
    graph.operators = operators
    return pack(tree, len(model))


def _negation(edit: Editor, operator: Any) -> list[Any] | None:
    """-x = x · -1."""
    if not is_float(edit, operator):
        return None
    inputs = [operator.inputs[0], edit.constant(-1)]
    return [edit.operator(CODES.MUL, inputs, operator.outputs[0])]


def _square(edit: Editor, operator: Any) -> list[Any] | None:
    """x² = x · x."""
    if not is_float(edit, operator):
        return None
    (x,) = operator.inputs
    return [edit.operator(CODES.MUL, [x, x], operator.outputs[0])]


def _power(edit: Editor, operator: Any) -> list[Any] | None:
    """xⁿ = x · x · …, n being ±½, ±1, ±1½ and so on: with a square root, or divided by it."""
    x, exponent = operator.inputs
    exponents = edit.stored(exponent)
    if not is_float(edit, operator) or exponents is None or np.ptp(exponents):
        return None
    sizes = [list(edit.graph.tensors[index].shape) for index in (x, operator.outputs[0])]
    halves = 2 * abs(float(exponents.flat[0])) if sizes[0] == sizes[1] else 0
    if halves != int(halves) or not 1 <= halves <= 2 * MOST_FACTORS:
        return None
    made, factors, power, rest = [], [], x, int(halves) // 2
    while rest:
        if rest % 2:
            factors.append(power)
        rest //= 2
        if rest:
            step, power = edit.made(CODES.MUL, [power, power], like=x)
            made.append(step)
    if halves % 2:
        step, root = edit.made(CODES.SQRT, [x], like=x)
        made.append(step)
        factors.append(root)
    product, *others = factors
    for factor in others:
        step, product = edit.made(CODES.MUL, [product, factor], like=x)
        made.append(step)
    if float(exponents.flat[0]) < 0:
        made.append(edit.operator(CODES.DIV, [edit.constant(1), product], operator.outputs[0]))
    elif made:
        made[-1].outputs = operator.outputs
    else:
        made.append(edit.operator(CODES.MUL, [x, edit.constant(1)], operator.outputs[0]))
    return made


def _cast(edit: Editor, operator: Any) -> list[Any] | None:
    """A truth value as a number: 1 or 0, chosen by it."""
    (x,) = operator.inputs
    if not is_float(edit, operator) or edit.graph.tensors[x].type != BOOL:
        return None
    inputs = [x, edit.constant(1), edit.constant(0)]
    return [edit.operator(CODES.SELECT_V2, inputs, operator.outputs[0])]


def _split(edit: Editor, operator: Any) -> list[Any] | None:
    """Slices, if some parts of what is split are not read: the quantizer leaves these in float."""
    read = {int(index) for each in edit.graph.operators for index in each.inputs}
    read |= {int(index) for index in edit.graph.outputs}
    if not is_float(edit, operator) or all(int(index) in read for index in operator.outputs):
        return None
    axis, x = operator.inputs
    found = edit.stored(axis)
    if found is None:
        return None
    return list(_slices(edit, operator, x, int(found.flat[0]), read))


def _slices(edit: Editor, operator: Any, x: int, axis: int, read: set[int]) -> Iterator[Any]:
    rank = len(edit.graph.tensors[x].shape)
    begin, size = np.zeros(rank, np.int32), np.full(rank, -1, np.int32)
    for index in operator.outputs:
        size[axis] = edit.graph.tensors[index].shape[axis]
        if int(index) in read:
            inputs = [x, edit.constant(begin, np.int32), edit.constant(size, np.int32)]
            yield edit.operator(CODES.SLICE, inputs, index)
        begin[axis] += size[axis]


def _squared_difference(edit: Editor, operator: Any) -> list[Any] | None:
    """(x - y)² = (x - y) · (x - y)."""
    difference, result = edit.made(CODES.SUB, list(operator.inputs), like=operator.outputs[0])
    return [difference, edit.operator(CODES.MUL, [result, result], operator.outputs[0])]


def _hard_swish(edit: Editor, operator: Any) -> list[Any] | None:
    """Hard swish is x · min(max(x + 3, 0), 6) / 6.

    The sum has the limits itself: TFLM's kernel of RELU6 takes its input's scale for its output's.
    """
    (x,) = operator.inputs
    shift, limited = edit.made(CODES.ADD, [x, edit.constant(3)], like=x)
    shift.builtinOptions.fusedActivationFunction = ACTIVATIONS.RELU6
    scale, scaled = edit.made(CODES.MUL, [limited, edit.constant(1 / 6)], like=x)
    return [shift, scale, edit.operator(CODES.MUL, [x, scaled], operator.outputs[0])]


def _prelu(edit: Editor, operator: Any) -> list[Any] | None:
    """max(x, 0) - α · max(-x, 0)."""
    x, alpha = operator.inputs
    slopes = edit.stored(alpha)
    if slopes is None:
        return None
    shape = edit.graph.tensors[alpha].shape
    first, positive = edit.made(CODES.RELU, [x], like=x)
    second, negative = _negative(edit, x)
    slope = edit.constant(-slopes.reshape(shape))
    third, sloped = edit.made(CODES.MUL, [negative, slope], like=x)
    last = edit.operator(CODES.ADD, [positive, sloped], operator.outputs[0])
    return [first, second, third, last]


def _negative(edit: Editor, x: int) -> tuple[Any, int]:
    """Returns max(-x, 0): the operator, and its result."""
    operator, result = edit.made(CODES.MUL, [x, edit.constant(-1)], like=x)
    operator.builtinOptions.fusedActivationFunction = ACTIVATIONS.RELU
    return operator, result


def _elu(edit: Editor, operator: Any) -> list[Any] | None:
    """ELU is max(x, 0) + e^min(x, 0) - 1, min(x, 0) being -max(-x, 0)."""
    (x,) = operator.inputs
    minus = edit.constant(-1)
    first, negative = _negative(edit, x)
    second, lowest = edit.made(CODES.MUL, [negative, minus], like=x)
    third, power = edit.made(CODES.EXP, [lowest], like=x)
    fourth, below = edit.made(CODES.ADD, [power, minus], like=x)
    fifth, above = edit.made(CODES.RELU, [x], like=x)
    last = edit.operator(CODES.ADD, [above, below], operator.outputs[0])
    return [first, second, third, fourth, fifth, last]


def _sum(edit: Editor, operator: Any) -> list[Any] | None:
    """The mean times the count.

    LiteRT's sum of 16-bit numbers keeps too few digits; that of 8 bits gives the same for every
    example in its reference kernels (2.3.0), where its optimized ones are right.
    """
    x, axes = operator.inputs
    sizes, found = edit.graph.tensors[x].shape, edit.stored(axes)
    if not is_float(edit, operator) or found is None:
        return None
    count = int(np.prod([sizes[axis] for axis in found]))
    mean, result = edit.made(CODES.MEAN, [x, axes], like=operator.outputs[0])
    mean.builtinOptions, mean.builtinOptionsType = (
        operator.builtinOptions,
        operator.builtinOptionsType,
    )
    return [mean, edit.operator(CODES.MUL, [result, edit.constant(count)], operator.outputs[0])]


OF_BOTH: dict[int, Rewrite] = {
    CODES.MAXIMUM: maximum,
    CODES.MINIMUM: minimum,
    CODES.NEG: _negation,
    CODES.POW: _power,
    CODES.SPLIT: _split,
    CODES.SQUARE: _square,
    CODES.SUM: _sum,
}
REWRITES: dict[str, dict[int, Rewrite]] = {
    "int8": {**OF_BOTH, CODES.CAST: _cast},
    "int16": {
        **OF_BOTH,
        CODES.ELU: _elu,
        CODES.HARD_SWISH: _hard_swish,
        CODES.PRELU: _prelu,
        CODES.SQUARED_DIFFERENCE: _squared_difference,
    },
}
