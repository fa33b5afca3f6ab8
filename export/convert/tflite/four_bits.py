"""Narrows the weights of an int8 `.tflite` file to 4 bits.

LiteRT and TFLM have kernels with weights of 4 bits for convolutions, depthwise ones and dense
layers; they unpack them and compute as with int8. Whatever the quantizer can make in int8 has 4-bit
weights so, with the same activations, inputs and outputs.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.flatbuffer import drop_unread_buffers

HIGHEST = 7  # weights are -7…7, the same on both sides of zero as int8's -127…127
# Shares of the highest weight that a scale may end at: small weights gain where large ones clip.
CLIPPINGS = np.linspace(0.5, 1.0, 26)
OPERATORS = schema.BuiltinOperator
KERNELS = (OPERATORS.CONV_2D, OPERATORS.DEPTHWISE_CONV_2D, OPERATORS.FULLY_CONNECTED)
KERNEL, BIAS = 1, 2  # their places among an operator's inputs
MOST_LAST_SHARE = 0.5  # of the weights: else the last layers' are narrowed too


@dataclass(kw_only=True)
class _Kernel:
    """A stored kernel of 8 bits, and the operators that multiply by it."""

    tensor: Any
    operators: list[Any]

    @property
    def size(self) -> int:
        return math.prod(map(int, self.tensor.shape))


def narrow(model: bytes, int8_share: float) -> bytes:
    """Returns an int8 model with weights of 4 bits, as far as there are kernels for them.

    The last layers' weights stay as they are, being few, and each matters; so do the smallest
    kernels. Convolutions have a scale for each channel, dense layers one for all, which is what
    TFLM demands; each scale is the one of least squared error.

    Args:
        model: a `.tflite` file with int8 weights.
        int8_share: how many of the weights stay, 0…1.

    Raises:
        ValueError: the model has no weights that can be narrowed.
    """
    tree = unpack(model)
    kernels = _kernels(tree)
    if not kernels:
        raise ValueError(
            "it has no dense or convolution layer whose weights LiteRT could read in 4 bits"
        )
    total = sum(kernel.size for kernel in kernels.values())
    last = {i for i in _last(tree) if i in kernels}
    if sum(kernels[i].size for i in last) > MOST_LAST_SHARE * total or len(last) == len(kernels):
        last = set()
    room = int8_share * total
    for index in sorted(kernels, key=lambda i: (i not in last, kernels[i].size)):
        room -= kernels[index].size
        if index not in last and room < 0:
            _narrow(tree, kernels[index])
    drop_unread_buffers(tree)
    return pack(tree, len(model))


def _kernels(tree: Any) -> dict[int, _Kernel]:
    """Returns by tensor the int8 kernels that nothing reads which lacks 4-bit weights."""
    graph = tree.subgraphs[0]
    found: dict[int, _Kernel] = {}
    others = set()
    for operator in graph.operators:
        kernel = int(operator.inputs[KERNEL]) if _multiplies(tree, operator) else None
        for place, index in enumerate(map(int, operator.inputs)):
            if place != KERNEL or kernel is None:
                others.add(index)
        if kernel is not None and _is_stored(tree, graph.tensors[kernel], schema.TensorType.INT8):
            entry = found.setdefault(kernel, _Kernel(tensor=graph.tensors[kernel], operators=[]))
            entry.operators.append(operator)
    return {index: entry for index, entry in found.items() if index not in others}


def _multiplies(tree: Any, operator: Any) -> bool:
    """Returns whether an operator multiplies values of 8 bits: of 16, none takes 4-bit weights."""
    if tree.operatorCodes[operator.opcodeIndex].builtinCode not in KERNELS:
        return False
    return bool(tree.subgraphs[0].tensors[operator.inputs[0]].type != schema.TensorType.INT16)


def _is_stored(tree: Any, tensor: Any, dtype: int) -> bool:
    data = tree.buffers[tensor.buffer].data
    return tensor.type == dtype and data is not None and len(data) > 0


def _last(tree: Any) -> set[int]:
    """Returns the kernels that an output depends on through no other."""
    graph = tree.subgraphs[0]
    maker = {int(made): operator for operator in graph.operators for made in operator.outputs}
    found, seen = set(), set()
    wanted = list(map(int, graph.outputs))
    while wanted:
        index = wanted.pop()
        operator = maker.get(index)
        if operator is None or index in seen:
            continue
        seen.add(index)
        if _multiplies(tree, operator):
            found.add(int(operator.inputs[KERNEL]))
        else:
            wanted += map(int, operator.inputs)
    return found


def _narrow(tree: Any, kernel: _Kernel) -> None:
    """Stores a kernel in 4 bits, and the biases added to its products in their new unit."""
    tensor, quantization = kernel.tensor, kernel.tensor.quantization
    codes = {tree.operatorCodes[each.opcodeIndex].builtinCode for each in kernel.operators}
    axis = int(quantization.quantizedDimension)
    stored = np.asarray(tree.buffers[tensor.buffer].data, np.uint8).view(np.int8)
    scales = np.asarray(quantization.scale, np.float64)
    shape = [len(scales) if i == axis else 1 for i in range(len(tensor.shape))]
    weights = stored.reshape(tensor.shape) * scales.reshape(shape)
    by_channel = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    if OPERATORS.FULLY_CONNECTED in codes or len(scales) == 1:
        by_channel, axis, shape = by_channel.reshape(1, -1), 0, [1] * weights.ndim
    scale = np.asarray(best_scales(by_channel), np.float32)
    steps = np.divide(1, scale, where=scale > 0, out=np.zeros(len(scale)), dtype=np.float64)
    small = np.clip(np.rint(weights * steps.reshape(shape)), -HIGHEST, HIGHEST).astype(np.int8)
    for index in {int(each.inputs[BIAS]) for each in kernel.operators if len(each.inputs) > BIAS}:
        if index >= 0:
            _rescale(tree, index, kernel, scale)
    tensor.type = schema.TensorType.INT4
    quantization.scale, quantization.quantizedDimension = scale, axis
    quantization.zeroPoint = np.zeros(len(scale), np.int64)
    tensor.buffer = _added(tree, packed(small.ravel()))


def _rescale(tree: Any, index: int, kernel: _Kernel, scale: np.ndarray) -> None:
    """Gives a bias the unit of the products with a kernel of these scales."""
    graph = tree.subgraphs[0]
    readers = [each for each in graph.operators if index in each.inputs]
    own = [each for each in kernel.operators if index in each.inputs]
    bias = graph.tensors[index]
    if len(readers) > len(own):
        bias = copy.deepcopy(bias)
        graph.tensors.append(bias)
        for operator in own:
            places = np.array(operator.inputs)
            places[BIAS] = len(graph.tensors) - 1
            operator.inputs = places
    (of_input,) = graph.tensors[own[0].inputs[0]].quantization.scale
    values = np.asarray(tree.buffers[bias.buffer].data, np.uint8).view(np.int32)
    units = (np.float64(of_input) * scale).astype(np.float32)
    values = np.rint(values * np.asarray(bias.quantization.scale, np.float64) / units)
    bias.buffer = _added(tree, values.astype(np.int32).view(np.uint8))
    bias.quantization.scale = units
    bias.quantization.zeroPoint = np.zeros(len(units), np.int64)


def _added(tree: Any, data: np.ndarray) -> int:
    """Returns the number of a new buffer with some bytes."""
    buffer = schema.BufferT()
    buffer.data = data
    tree.buffers.append(buffer)
    return len(tree.buffers) - 1


def best_scales(weights: np.ndarray) -> np.ndarray:
    """Returns the scales of 4-bit weights that leave the least squared error.

    Args:
        weights: (C, n) float, a row for each channel.

    Returns:
        (C,) float64, positive also for rows of zeros.
    """
    highest = np.abs(weights).max(axis=1)
    best = np.where(highest > 0, highest / HIGHEST, 1.0)
    least = np.full(len(weights), np.inf)
    for clipping in CLIPPINGS[::-1]:
        scale = np.where(highest > 0, clipping * highest / HIGHEST, 1.0)
        levels = np.clip(np.rint(weights / scale[:, np.newaxis]), -HIGHEST, HIGHEST)
        error = ((levels * scale[:, np.newaxis] - weights) ** 2).sum(axis=1)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    return best


def packed(values: np.ndarray) -> np.ndarray:
    """Returns (n,) int8 values of 4 bits, two in a byte, the first in the lower half."""
    even = np.append(values, np.zeros(values.size % 2, np.int8)).view(np.uint8)
    return (even[0::2] & 15) | (even[1::2] << 4)
