"""Biases of an integer `.tflite` file that take back what rounded weights add on average."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.bias import NOTHING, NothingToCorrectError, corrections, means_of
from export.convert.calibrate.calibration import tflite_values
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.rewrites.editor import CODES, Editor
from export.verify.graph.products import unpacked

LAYERS = (CODES.CONV_2D, CODES.DEPTHWISE_CONV_2D, CODES.FULLY_CONNECTED)
TYPES = schema.TensorType
STORED = (TYPES.INT8, TYPES.INT4)
KERNEL, BIAS = 1, 2  # their places among a layer's inputs


def bias_corrected(content: bytes, twin: bytes, inputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns an integer file with corrected biases.

    Args:
        content: the file, with weights of 8 bits.
        twin: the float file that it was quantized from, whose tensors bear the same names.
        inputs: calibration examples (N, …) by name.

    Raises:
        NothingToCorrectError: there is no bias to correct.
    """
    edit, floats = Editor(unpack(content)), Editor(unpack(twin))
    pairs = same_layers(edit, floats)
    widths = {name_of(floats, own, 0): _width(floats, own) for _, own in pairs}
    means = means_of(tflite_values(twin, inputs), widths)
    changed = 0
    for layer, own in pairs:
        weights = floats.stored(own.inputs[KERNEL])
        mean = means.get(name_of(floats, own, 0))
        if weights is not None and mean is not None:
            changed += _correct(edit, layer, weights, mean)
    if not changed:
        raise NothingToCorrectError(NOTHING)
    return pack(edit.tree, len(content))


def _correct(edit: Editor, layer: Any, weights: np.ndarray, means: np.ndarray) -> bool:
    """Corrects a layer's bias; returns whether it has one of its own."""
    tensors = edit.graph.tensors
    kernel, place = tensors[layer.inputs[KERNEL]], int(layer.inputs[BIAS])
    readers = [each for each in edit.graph.operators if place in each.inputs]
    if place < 0 or len(readers) > 1 or kernel.type not in STORED:
        return False
    rounded = _meant(edit, kernel)
    if rounded is None or rounded.size != weights.size:
        return False
    weights = weights.reshape(rounded.shape)
    if edit.code(layer) == CODES.DEPTHWISE_CONV_2D:
        rounded, weights = (
            each.reshape(-1, each.shape[-1]).T[:, :, np.newaxis] for each in (rounded, weights)
        )
        means = np.repeat(means, len(rounded) // len(means))[:, np.newaxis]
    else:
        rounded, weights = (
            each.reshape(each.shape[0], -1, each.shape[-1]) for each in (rounded, weights)
        )
    if rounded.shape[-1] != means.shape[-1]:  # in groups
        return False
    found = corrections(rounded, weights, means)
    bias = tensors[place]
    stored = edit.stored(place)
    if found is None or bias.type != TYPES.INT32 or stored is None:
        return False
    steps = found / np.asarray(bias.quantization.scale, np.float64)
    edit.store(place, np.rint(stored - steps).astype(np.int32))
    return True


def same_layers(edit: Editor, floats: Editor) -> list[tuple[Any, Any]]:
    """Returns the dense and convolution layers of an integer file, each with its float twin's."""
    known = {name_of(floats, own, KERNEL): own for own in _layers(floats)}
    return [
        (layer, known[name_of(edit, layer, KERNEL)])
        for layer in _layers(edit)
        if name_of(edit, layer, KERNEL) in known
    ]


def _layers(edit: Editor) -> list[Any]:
    return [
        each
        for each in edit.graph.operators
        if edit.code(each) in LAYERS and len(each.inputs) > BIAS
    ]


def name_of(edit: Editor, operator: Any, place: int) -> str:
    """Returns the name of one of an operator's inputs."""
    name: str = edit.graph.tensors[operator.inputs[place]].name.decode()
    return name


def _width(edit: Editor, layer: Any) -> int:
    """Returns how many numbers a layer reads at one place: of a dense one, all of a row."""
    place = KERNEL if edit.code(layer) == CODES.FULLY_CONNECTED else 0
    return int(edit.graph.tensors[layer.inputs[place]].shape[-1])


def _meant(edit: Editor, kernel: Any) -> np.ndarray | None:
    """Returns what a stored kernel's integers mean, in its shape; None if it is computed."""
    data = edit.tree.buffers[kernel.buffer].data
    if data is None or not len(data):
        return None
    raw, count = np.asarray(data, np.uint8), math.prod(map(int, kernel.shape))
    values = unpacked(raw, count) if kernel.type == TYPES.INT4 else raw.view(np.int8)
    scales = np.asarray(kernel.quantization.scale, np.float64)
    along = [1] * len(kernel.shape)
    along[int(kernel.quantization.quantizedDimension)] = len(scales)
    return values.reshape(kernel.shape) * scales.reshape(along)
