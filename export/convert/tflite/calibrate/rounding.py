"""Weights of an integer `.tflite` file, rounded by what their layers read (GPTQ)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.bias import NothingToCorrectError
from export.convert.calibrate.calibration import tflite_values
from export.convert.calibrate.moments import Reader, Window, moments_of, with_room
from export.convert.calibrate.rounding import NOTHING, Roundings
from export.convert.tflite.calibrate.bias import KERNEL, name_of, same_layers
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.four_bits import HIGHEST, packed
from export.convert.tflite.rewrites.editor import CODES, Editor

HIGHEST_LEVEL = {schema.TensorType.INT8: 127, schema.TensorType.INT4: HIGHEST}


@dataclass(frozen=True, kw_only=True)
class _Layer(Reader):
    """A layer of an integer file.

    Attributes:
        operator: the layer.
        weights: of its float twin, flat.
    """

    operator: Any
    weights: np.ndarray


def rounded_by_inputs(
    content: bytes,
    twin: bytes,
    inputs: Mapping[str, np.ndarray],
    known: Roundings,
) -> bytes:
    """Returns an integer file whose weights are rounded so that the layers' outputs err least.

    Scales and ranges stay. Layers with more than `MOST_INPUTS` inputs to an output are left as
    they are, and the largest ones where the moments of all would take more memory than the weights.

    Args:
        content: the file, with weights of 8 or 4 bits.
        twin: the float file that it was quantized from, whose tensors bear the same names.
        inputs: calibration examples (N, …) by name.
        known: of the twin's layers; moments are found if it has none.

    Raises:
        NothingToCorrectError: no layer has weights that can be rounded so.
    """
    edit, floats = Editor(unpack(content)), Editor(unpack(twin))
    layers = _layers(edit, floats)
    if not layers:
        raise NothingToCorrectError(NOTHING)
    if not known.moments:
        known.moments |= moments_of(tflite_values(twin, inputs), layers)
    for layer in layers:
        if layer.name in known.moments:
            _round(edit, layer, known)
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
        if stored.size == math.prod(shape):
            found.append(
                _Layer(
                    operator=operator,
                    weights=stored,
                    name=name_of(floats, own, KERNEL),
                    tensor=name_of(floats, own, 0),
                    inputs=count,
                    channels=shape[-1] if depthwise else 1,
                    window=None if code == CODES.FULLY_CONNECTED else _window(shape, own),
                )
            )
    return with_room(found, weights)


def _window(shape: Sequence[int], layer: Any) -> Window:
    options = layer.builtinOptions
    return Window(
        size=(shape[1], shape[2]),
        strides=(options.strideH, options.strideW),
        dilation=(options.dilationHFactor, options.dilationWFactor),
        pads=None if options.padding == schema.Padding.SAME else ((0, 0), (0, 0)),
    )


def _round(edit: Editor, layer: _Layer, known: Roundings) -> None:
    """Stores a kernel's weights anew."""
    kernel = edit.graph.tensors[layer.operator.inputs[KERNEL]]
    highest = HIGHEST_LEVEL[kernel.type]
    steps = np.asarray(kernel.quantization.scale, np.float64)
    by_column = edit.code(layer.operator) == CODES.DEPTHWISE_CONV_2D
    rows = layer.weights.reshape((layer.inputs, -1) if by_column else (-1, layer.inputs))
    rows = rows.T if by_column else rows
    levels = known.rounded(layer.name, rows, steps, -highest, highest).astype(np.int8)
    levels = levels.T if by_column else levels
    values = np.ascontiguousarray(levels).ravel()
    is_small = kernel.type == schema.TensorType.INT4
    edit.store(layer.operator.inputs[KERNEL], packed(values) if is_small else values)
