"""Operators that TensorFlow's quantizer knows, in the place of recurrent layers."""

import numpy as np

from export.convert.recurrent.description import Cell
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder
from export.convert.tflite.recurrent.choice import Layer


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
