"""Operators that TensorFlow's quantizer knows, in the place of recurrent layers."""

from typing import Any

import numpy as np

from export.convert.recurrent.description import Cell
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder
from export.convert.tflite.recurrent.choice import Layer

STATE = "recurrent_state_"  # what weights are called; the numbers of mark and state follow


def add_dense(on: Builder, layer: Layer, x: int, output: int, name: str) -> None:
    """Makes a dense layer of each step, with the ranges and the shape of a layer's output."""
    batch, steps, features = on.shape_of(x)
    units = layer.cell.units
    ranges = on.graph.tensors[output].quantization
    whole = output
    if not layer.sequences:
        whole = on.tensor((batch, steps, units), TYPES.FLOAT32)
        on.graph.tensors[whole].name = f"{name}_steps".encode()
        on.graph.tensors[whole].quantization = ranges
    stored = on.constant(np.eye(units, features), TYPES.FLOAT32)
    biases = on.constant(np.zeros(units), TYPES.FLOAT32)
    on.add(CODES.FULLY_CONNECTED, [x, stored, biases], [whole], keepNumDims=True)
    if not layer.sequences:
        on.slice_last(whole, output)


def add_state(on: Builder, given: int, made: int, number: int, state: int) -> None:
    """Makes a dense layer in the place of what a layer makes of one of its states.

    Its weights say by their name which state that is. No two are equal: they would be one.

    Args:
        on: where to.
        given: a tensor (batch, units), the state before the first step, or what stands for it.
        made: a tensor (batch, units), the state after the last one.
        number: of the layer's mark.
        state: the state's.
    """
    units = on.shape_of(given)[-1]
    stored = on.constant(np.eye(units) * (2 + number + state / 4), TYPES.FLOAT32)
    on.graph.tensors[stored].name = f"{STATE}{number}_{state}".encode()
    biases = on.constant(np.zeros(units), TYPES.FLOAT32)
    on.add(CODES.FULLY_CONNECTED, [given, stored, biases], [made])


def states_in(tree: Any) -> dict[tuple[int, int], Any]:
    """Returns the operators that `add_state` made, by mark and state, once they are quantized."""
    graph, found = tree.subgraphs[0], {}
    for operator in graph.operators:
        name = b"" if len(operator.inputs) < 2 else graph.tensors[operator.inputs[1]].name or b""
        if name.decode().startswith(STATE):
            number, state = map(int, name.decode().removeprefix(STATE).split("_"))
            found[number, state] = operator
    return found


def empty_lstm(cell: Cell, features: int) -> Cell:
    """Returns an LSTM's cell of zeros, of the same size."""
    width = 4 * cell.units
    return Cell(
        kind="lstm",
        units=cell.units,
        kernel=np.zeros((features, width), np.float32),
        recurrent_kernel=np.zeros((cell.units, width), np.float32),
        bias=np.zeros(width, np.float32),
        recurrent_bias=np.zeros(width, np.float32),
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
    )
