"""TFLite's LSTM operator, and what makes it begin every call with states of zeros.

The operator keeps its states in variable tensors between calls, and an interpreter sets those back
only when it is told to. Here they are written by an operator before it, at every call, so that a
file answers the same whatever it was asked before, in LiteRT and in TFLM.
"""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.recurrent.description import Cell
from export.convert.tflite.calibrate.ranges import quantization
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder
from export.convert.tflite.recurrent.ranges import Ranges

LSTM = CODES.UNIDIRECTIONAL_SEQUENCE_LSTM
INTERMEDIATES = 5  # of which integer kernels read the scale of the last one, that of the output
LEAST_CARRY = 1.0  # of a smaller one, LiteRT has no tanh, and says nothing: its output is noise
NONE = -1  # an input that is not given: peepholes, projection, normalization
H, C = 18, 19  # the states' places among the inputs


def add_lstm(
    on: Builder,
    cell: Cell,
    *,
    x: int,
    output: int,
    sequences: bool,
    go_backwards: bool,
    weights: int = TYPES.FLOAT32,
    ranges: Ranges | None = None,
) -> Any:
    """Makes the operators of a layer, in float, without what sets its states back.

    Args:
        on: where to.
        cell: an LSTM's, of tanh and sigmoid.
        x: a tensor (batch, steps, features) float32.
        output: the tensor that is the layer's output: (batch, steps, units) if `sequences`, else
            (batch, units).
        sequences: whether it is the outputs of all steps.
        go_backwards: whether the last step is the first.
        weights: the type that weights are stored in: float32, float16 or int8.
        ranges: what the quantizer is told of the states; None if it is told nothing.

    Returns:
        The operator itself.
    """
    batch, steps, _ = on.shape_of(x)
    if go_backwards:
        turned = on.tensor(on.shape_of(x), on.type_of(x))
        _copy_range(on, x, turned)
        on.add(CODES.REVERSE_V2, [x, on.constant([1], TYPES.INT32)], [turned])
        x = turned
    whole = output if sequences else on.tensor((batch, steps, cell.units), TYPES.FLOAT32)
    kernels = [on.weights(part, weights) for part in np.split(cell.kernel, 4, axis=1)]
    recurrent = [on.weights(part, weights) for part in np.split(cell.recurrent_kernel, 4, axis=1)]
    biases = [
        on.constant(part, TYPES.FLOAT32) for part in np.split(cell.bias + cell.recurrent_bias, 4)
    ]
    states = [on.tensor((batch, cell.units), TYPES.FLOAT32, variable=True) for _ in range(2)]
    between = [on.tensor((0,), TYPES.FLOAT32) for _ in range(INTERMEDIATES)]
    if ranges is not None:
        for index in (whole, states[0], between[-1]):
            on.graph.tensors[index].quantization = quantization(*ranges.outputs)
        carry = max(ranges.carry, LEAST_CARRY)
        on.graph.tensors[states[1]].quantization = quantization(-carry, carry)
    made = on.add(
        LSTM,
        [x, *kernels, *recurrent, *[NONE] * 3, *biases, NONE, NONE, *states, *[NONE] * 4],
        [whole],
        fusedActivationFunction=schema.ActivationFunctionType.TANH,
        cellClip=0.0,
        projClip=0.0,
        timeMajor=False,
        asymmetricQuantizeInputs=weights == TYPES.INT8,
    )
    made.intermediates = np.asarray(between, np.int32)
    if not sequences:
        if ranges is not None:
            on.graph.tensors[output].quantization = quantization(*ranges.outputs)
        on.slice_last(whole, output)
    return made


def share_unit(tree: Any, operator: Any) -> None:
    """Gives the state of a quantized LSTM operator the unit of its output, which it is.

    The quantizer (2.21) gives an output that is concatenated, as of two directions, the unit of the
    whole, and not the state: the file answers noise.
    """
    tensors = tree.subgraphs[0].tensors
    unit = tensors[operator.outputs[0]].quantization
    if unit is not None and unit.scale is not None:
        for index in (operator.inputs[H], operator.intermediates[-1]):
            tensors[index].quantization = copy.copy(unit)


def with_resets(tree: Any, operators: Iterable[Any], prefix: str) -> list[Any]:
    """Returns operators of a model's first graph, and before each LSTM what zeroes its states.

    FILL writes them. Of 16 bits neither FILL has a kernel in TFLM; there, an empty state of 8 bits
    is quantized to 16.

    Args:
        tree: the model, in float or quantized.
        operators: in order.
        prefix: what names of new tensors begin with.
    """
    on = Builder(tree, tree.subgraphs[0], prefix)
    for operator in operators:
        if tree.operatorCodes[operator.opcodeIndex].builtinCode == LSTM:
            h, c = int(operator.inputs[H]), int(operator.inputs[C])
            _fill(on, h)
            if on.type_of(c) == TYPES.INT16:
                on.add(CODES.QUANTIZE, [h], [c])
            else:
                _fill(on, c)
        on.made.append(operator)
    return on.made


def _fill(on: Builder, state: int) -> None:
    dtype = on.type_of(state)
    scale = on.scale_of(state) if dtype == TYPES.INT8 else ()
    zero = on.constant(scale[1] if scale else 0, dtype, *scale)
    on.add(CODES.FILL, [on.constant(on.shape_of(state), TYPES.INT32), zero], [state])


def _copy_range(on: Builder, given: int, made: int) -> None:
    found = on.graph.tensors[given].quantization
    if found is not None and found.min is not None:
        on.graph.tensors[made].quantization = quantization(found.min[0], found.max[0])
