"""Products of what two loops compute keep 16 bits, and so does a dense layer that reads them.

A product of two outputs has long tails: most of its values take a few steps of 8 bits, and fresh
examples lie far beyond the range that others had. Of 16 bits there are enough for all that can be.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.recurrent.builder import (
    CODES,
    HIGHEST_8,
    TYPES,
    Builder,
    without_unread,
)

HIGHEST_16 = 32767
LOWEST_8 = -128
ROOM = 1.5  # that scores have beyond those of the examples: products of outputs have long tails
NO_ACTIVATION, RELU = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU
ANY_UNIT = (CODES.SOFTMAX, CODES.LOGISTIC, CODES.TANH)  # they read values of whatever unit


def products_in_16_bits(tree: Any, operators: Iterable[Any]) -> list[Any]:
    """Returns operators of a quantized model's first graph, such products in 16 bits.

    Args:
        tree: the model; tensors are added to it.
        operators: in order.
    """
    operators = list(operators)
    on = Builder(tree, tree.subgraphs[0], "product")
    made_by = {int(index): operator for operator in operators for index in operator.outputs}
    products: dict[int, int] = {}  # of 16 bits, by the one of 8 bits
    for operator in operators:
        wide = _of_loops(on, operator, made_by)
        if wide is not None:
            products[int(operator.outputs[0])] = _multiply(on, wide, operator)
            continue
        given = int(operator.inputs[0]) if len(operator.inputs) else -1
        if given in products and _is_dense(on, operator):
            _dense(on, operator, products[given], operators)
            continue
        for index in operator.inputs:
            _narrow(on, int(index), products)
        on.made.append(operator)
    for index in tree.subgraphs[0].outputs:
        _narrow(on, int(index), products)
    return without_unread(tree, on.made, CODES.QUANTIZE)


def _of_loops(on: Builder, operator: Any, made_by: dict[int, Any]) -> list[int] | None:
    """Returns the values of 16 bits that a product of 8 bits is of; None if it is not of any."""
    if (
        on.code_of(operator) != CODES.MUL
        or operator.builtinOptions.fusedActivationFunction != NO_ACTIVATION
        or on.type_of(int(operator.outputs[0])) != TYPES.INT8
    ):
        return None
    makers = [made_by.get(int(index)) for index in operator.inputs]
    if any(maker is None or on.code_of(maker) != CODES.QUANTIZE for maker in makers):
        return None
    wide = [int(maker.inputs[0]) for maker in makers if maker is not None]
    return wide if all(on.type_of(index) == TYPES.INT16 for index in wide) else None


def _multiply(on: Builder, wide: list[int], operator: Any) -> int:
    first, second = (on.scale_of(index)[0] for index in wide)
    output = on.graph.tensors[operator.outputs[0]]
    product = on.tensor(output.shape, TYPES.INT16, first * second * HIGHEST_16)
    on.add(CODES.MUL, wide, [product])
    return product


def _is_dense(on: Builder, operator: Any) -> bool:
    """Returns whether it is a dense layer of stored weights that 16 bits have kernels for."""
    if on.code_of(operator) != CODES.FULLY_CONNECTED:
        return False
    weights = on.graph.tensors[operator.inputs[1]]
    activation = operator.builtinOptions.fusedActivationFunction
    output = int(operator.outputs[0])
    return (
        weights.type == TYPES.INT8
        and on.stored(int(operator.inputs[1])) is not None
        and on.type_of(output) == TYPES.INT8
        # what lies below zero has no integer, so that ReLU needs no operator
        and (
            activation == NO_ACTIVATION
            or (activation == RELU and on.scale_of(output)[1] == LOWEST_8)
        )
    )


def _dense(on: Builder, operator: Any, x: int, operators: list[Any]) -> None:
    """Makes a dense layer of 16 bits, and what narrows its results."""
    graph = on.graph
    of_8, stored, *rest = map(int, operator.inputs)
    weights, output = graph.tensors[stored], int(operator.outputs[0])
    scales = np.asarray(weights.quantization.scale, np.float64).reshape(-1, 1)
    shape = on.shape_of(stored)
    real = _stored(on, stored).view(np.int8).reshape(shape) * scales
    unit = float(scales.max())
    one_unit = on.constant(np.rint(real / unit), TYPES.INT8, unit)
    unit_of_8, unit_of_x = on.scale_of(of_8)[0], on.scale_of(x)[0]
    inputs = [x, one_unit]
    if rest and rest[0] >= 0:
        numbers = _stored(on, rest[0]).view(np.int32) * scales[:, 0] * unit_of_8
        inputs.append(on.constant(np.rint(numbers / (unit_of_x * unit)), TYPES.INT64))
        graph.tensors[inputs[-1]].quantization = schema.QuantizationParametersT(
            scale=np.asarray([unit_of_x * unit], np.float32), zeroPoint=np.zeros(1, np.int64)
        )
    _widen(on, output, operators)
    scale, zero_point = on.scale_of(output)
    largest = scale * max(HIGHEST_8 - zero_point, zero_point - LOWEST_8)
    wide = on.tensor(on.shape_of(output), TYPES.INT16, ROOM * largest / HIGHEST_16)
    options = operator.builtinOptions
    on.add(CODES.FULLY_CONNECTED, inputs, [wide], keepNumDims=options.keepNumDims)
    on.add(CODES.QUANTIZE, [wide], [output])


def _stored(on: Builder, index: int) -> np.ndarray:
    found = on.stored(index)
    if found is None:
        raise ValueError("a dense layer's weights and biases are stored")
    return found


def _widen(on: Builder, output: int, operators: list[Any]) -> None:
    """Has the classes' scores reach half as far again as they did, unless their unit is needed."""
    readers = [each for each in operators if output in map(int, each.inputs)]
    if not readers or any(on.code_of(reader) not in ANY_UNIT for reader in readers):
        return
    scale = ROOM * on.scale_of(output)[0]
    on.graph.tensors[output].quantization.scale = np.asarray([scale], np.float32)


def _narrow(on: Builder, index: int, products: dict[int, int]) -> None:
    """Makes a product in 8 bits for what reads it so, once."""
    if index in products and not any(index in map(int, each.outputs) for each in on.made):
        on.add(CODES.QUANTIZE, [products[index]], [index])
