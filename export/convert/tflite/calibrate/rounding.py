"""Weights of an integer `.tflite` file, rounded by what their layers read (GPTQ)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.bias import NothingToCorrectError
from export.convert.calibrate.calibration import tflite_values
from export.convert.calibrate.rounding import rounded_weights
from export.convert.tflite.calibrate.bias import KERNEL, name_of, same_layers
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.four_bits import HIGHEST, packed
from export.convert.tflite.rewrites.editor import CODES, Editor

HIGHEST_LEVEL = {schema.TensorType.INT8: 127, schema.TensorType.INT4: HIGHEST}
POSITIONS = 64  # of an example, at most, that a convolution is looked at
MOST_INPUTS = 2304  # to an output: time grows with the third power, memory with the second
LEAST_ROOM = 4_000_000  # numbers of all layers' moments together, or as many as there are weights
SEED = 0
NOTHING = "it has no dense or convolution layer with stored weights of its own"


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A layer of an integer file.

    Attributes:
        operator: the layer.
        own: the same of the float twin.
        weights: of that, flat.
        name: of its kernel.
        inputs: how many an output has.
        channels: how many kinds of inputs: those of a depthwise convolution, else 1.
    """

    operator: Any
    own: Any
    weights: np.ndarray
    name: str
    inputs: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the summed products of its inputs."""
        return (self.channels, self.inputs, self.inputs)


def rounded_by_inputs(
    content: bytes,
    twin: bytes,
    inputs: Mapping[str, np.ndarray],
    moments: dict[str, np.ndarray],
) -> bytes:
    """Returns an integer file whose weights are rounded so that the layers' outputs err least.

    Scales and ranges stay. Layers with more than `MOST_INPUTS` inputs to an output are left as
    they are, and the largest ones where the moments of all would take more memory than the weights.

    Args:
        content: the file, with weights of 8 or 4 bits.
        twin: the float file that it was quantized from, whose tensors bear the same names.
        inputs: calibration examples (N, …) by name.
        moments: those of the twin's layers by the names of their kernels; empty to find them.

    Raises:
        NothingToCorrectError: no layer has weights that can be rounded so.
    """
    edit, floats = Editor(unpack(content)), Editor(unpack(twin))
    layers = _layers(edit, floats)
    if not layers:
        raise NothingToCorrectError(NOTHING)
    if not moments:
        moments |= {layer.name: np.zeros(layer.shape, np.float32) for layer in layers}
        random = np.random.RandomState(SEED)
        for values in tflite_values(twin, inputs):
            for layer in layers:
                given = values.get(name_of(floats, layer.own, 0))
                if given is not None:
                    moments[layer.name] += _products(floats, layer, given, random)
    for layer in layers:
        if layer.name in moments:
            _round(edit, layer, moments[layer.name])
    return pack(edit.tree, len(content))


def _layers(edit: Editor, floats: Editor) -> list[_Layer]:
    """Returns the layers whose moments have room, the smallest first."""
    found, weights = [], 0
    for operator, own in same_layers(edit, floats):
        kernel = edit.graph.tensors[operator.inputs[KERNEL]]
        shape = [int(size) for size in kernel.shape]
        stored = floats.stored(own.inputs[KERNEL])
        width = int(floats.graph.tensors[own.inputs[0]].shape[-1])
        code = edit.code(operator)
        readers = [each for each in edit.graph.operators if operator.inputs[KERNEL] in each.inputs]
        whole = code == CODES.FULLY_CONNECTED or width == shape[-1]  # neither in groups, nor more
        if stored is None or kernel.type not in HIGHEST_LEVEL or len(readers) > 1 or not whole:
            continue
        weights += stored.size
        depthwise = code == CODES.DEPTHWISE_CONV_2D
        count = math.prod(shape[1:-1] if depthwise else shape[1:])
        if stored.size == math.prod(shape) and count <= MOST_INPUTS:
            found.append(
                _Layer(
                    operator=operator,
                    own=own,
                    weights=stored,
                    name=name_of(floats, own, KERNEL),
                    inputs=count,
                    channels=shape[-1] if depthwise else 1,
                )
            )
    room, kept = max(LEAST_ROOM, weights), []
    for layer in sorted(found, key=lambda layer: math.prod(layer.shape)):
        room -= math.prod(layer.shape)
        if room >= 0:
            kept.append(layer)
    return kept


def _products(
    floats: Editor, layer: _Layer, given: np.ndarray, random: np.random.RandomState
) -> np.ndarray:
    """Returns the summed products of a layer's inputs of an example, as its moments are."""
    code = floats.code(layer.own)
    if code == CODES.FULLY_CONNECTED:
        rows = given.reshape(-1, layer.inputs)
        return np.asarray(rows.T @ rows)
    kernel = floats.graph.tensors[layer.own.inputs[KERNEL]].shape
    size = (int(kernel[1]), int(kernel[2]))
    found = patches(given, layer.own.builtinOptions, size, random)
    if code == CODES.CONV_2D:
        rows = found.reshape(len(found), -1)
        return np.asarray(rows.T @ rows)
    by_channel = found.reshape(len(found), layer.inputs, -1).transpose(2, 0, 1)
    return np.asarray(by_channel.transpose(0, 2, 1) @ by_channel)


def patches(
    given: np.ndarray, options: Any, kernel: tuple[int, int], random: np.random.RandomState
) -> np.ndarray:
    """Returns what a convolution's kernel lies on at some of its positions.

    Args:
        given: (N, H, W, C), its input.
        options: the operator's, with strides, padding and dilation.
        kernel: its height and width.
        random: draws `POSITIONS` of each input.

    Returns:
        (n, height, width, C)
    """
    height, width = kernel
    reach_h = (height - 1) * options.dilationHFactor + 1
    reach_w = (width - 1) * options.dilationWFactor + 1
    same = options.padding == schema.Padding.SAME
    places, pads = [], []
    for size, reach, stride in (
        (given.shape[1], reach_h, options.strideH),
        (given.shape[2], reach_w, options.strideW),
    ):
        count = -(-size // stride) if same else (size - reach) // stride + 1
        pad = max(0, (count - 1) * stride + reach - size)
        places.append(np.arange(count) * stride)
        pads.append((pad // 2, pad - pad // 2))
    padded = np.pad(given, ((0, 0), *pads, (0, 0)))
    tops, lefts = (each.ravel() for each in np.meshgrid(*places, indexing="ij"))
    if len(tops) > POSITIONS:
        some = random.choice(len(tops), POSITIONS, replace=False)
        tops, lefts = tops[some], lefts[some]
    rows = tops[:, np.newaxis] + np.arange(height) * options.dilationHFactor
    columns = lefts[:, np.newaxis] + np.arange(width) * options.dilationWFactor
    found = padded[:, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return found.reshape(-1, height, width, given.shape[-1])


def _round(edit: Editor, layer: _Layer, moments: np.ndarray) -> None:
    """Stores a kernel's weights anew."""
    kernel = edit.graph.tensors[layer.operator.inputs[KERNEL]]
    highest = HIGHEST_LEVEL[kernel.type]
    steps = np.asarray(kernel.quantization.scale, np.float64)
    if edit.code(layer.operator) == CODES.DEPTHWISE_CONV_2D:
        columns = layer.weights.reshape(layer.inputs, -1).T
        steps = np.broadcast_to(steps, len(columns))
        rounded = [
            rounded_weights(row[np.newaxis], step[np.newaxis], each, highest)
            for row, step, each in zip(columns, steps, moments, strict=True)
        ]
        levels = np.concatenate(rounded).T
    else:
        rows = layer.weights.reshape(-1, layer.inputs)
        steps = np.broadcast_to(steps, len(rows))
        levels = rounded_weights(rows, steps, moments[0], highest)
    values = np.ascontiguousarray(levels).ravel()
    is_small = kernel.type == schema.TensorType.INT4
    edit.store(layer.operator.inputs[KERNEL], packed(values) if is_small else values)
