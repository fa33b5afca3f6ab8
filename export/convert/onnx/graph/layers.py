"""Layers that multiply by stored weights: by which of their inputs and outputs a constant passes.

A constant is an array of the rank of the value that it belongs to, one where it does not vary.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

Shape = tuple[int | None, ...]
MATRIX = ("MatMul", "Gemm")
CONVOLUTIONS = ("Conv", "ConvTranspose")
POOLING = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
RESHAPING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Returns a node's attributes by name."""
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def is_layer(node: onnx.NodeProto, stored: Mapping[str, onnx.TensorProto]) -> bool:
    """Returns whether a node multiplies its first input by stored weights, to add a stored bias."""
    if node.op_type not in (*MATRIX, *CONVOLUTIONS):
        return False
    found = attributes_of(node)
    plain = found.get("alpha", 1.0) == found.get("beta", 1.0) == 1.0 and not found.get("transA", 0)
    weights = node.input[1] in stored and node.input[0] not in stored
    if not plain or not weights or any(name not in stored for name in node.input[2:] if name):
        return False
    biases = [stored[name].dims for name in node.input[2:] if name]
    matrix = node.op_type in CONVOLUTIONS or len(stored[node.input[1]].dims) == 2
    # a Gemm's may be of any shape
    return matrix and all(math.prod(dims) in (1, dims[-1]) for dims in biases if dims)


def vector(constant: np.ndarray, node: onnx.NodeProto, size: int) -> np.ndarray | None:
    """Returns a constant by a layer's channels, (size,); None if it varies along another axis."""
    axis = constant.ndim - 1 if node.op_type in MATRIX else 1
    if constant.size != constant.shape[axis] or constant.size not in (1, size):
        return None
    return np.broadcast_to(constant.ravel(), size)


class Weights:
    """The weights of a layer, in float64, as (groups, outputs, inputs, taps)."""

    def __init__(self, node: onnx.NodeProto, values: np.ndarray) -> None:
        """Takes a layer's node, and its weights as they are stored."""
        found = attributes_of(node)
        self._shape = values.shape
        self._turned = node.op_type == "ConvTranspose" or (
            node.op_type in MATRIX and not found.get("transB", 0)
        )
        self._groups = groups = int(found.get("group", 1))
        first, second = values.shape[:2]
        self.values = values.astype(np.float64).reshape(groups, first // groups, second, -1)
        if self._turned:
            self.values = self.values.swapaxes(1, 2)

    @property
    def outputs(self) -> int:
        """How many output channels there are."""
        return self._groups * self.values.shape[1]

    @property
    def inputs(self) -> int:
        """How many input channels there are."""
        return self._groups * self.values.shape[2]

    def scale_outputs(self, by: np.ndarray) -> None:
        """Multiplies by one number for each output channel."""
        self.values = self.values * by.reshape(self._groups, -1, 1, 1)

    def scale_inputs(self, by: np.ndarray) -> None:
        """Multiplies by one number for each input channel."""
        self.values = self.values * by.reshape(self._groups, 1, -1, 1)

    def sums(self, added: np.ndarray) -> np.ndarray:
        """Returns what a number added to each input channel adds to each output channel."""
        found: np.ndarray = (self.values * added.reshape(self._groups, 1, -1, 1)).sum(axis=(2, 3))
        return found.ravel()

    def stored(self) -> np.ndarray:
        """Returns the weights as they are stored, float32."""
        values = self.values.swapaxes(1, 2) if self._turned else self.values
        return values.reshape(self._shape).astype(np.float32)


def adds_everywhere(node: onnx.NodeProto) -> bool:
    """Returns whether what is added to all of a layer's input adds the same to all of its output.

    Not where a convolution pads with zeros, nor where outputs of a transposed one overlap.
    """
    found = attributes_of(node)
    padded = any(found.get("pads", ())) or found.get("auto_pad", b"NOTSET") not in (
        *(b"NOTSET", b"VALID"),
    )
    return node.op_type in MATRIX or (node.op_type == "Conv" and not padded)


def carried(
    node: onnx.NodeProto,
    constant: np.ndarray,
    shapes: tuple[Shape | None, Shape | None],
    axes: np.ndarray | None,
) -> np.ndarray | None:
    """Returns what a constant becomes behind an operator that moves or pools values.

    None if it does not pass.

    Args:
        node: the operator.
        constant: of its input, (1, …).
        shapes: of its input and output, as far as they are known.
        axes: that it reduces, if they are stored.
    """
    found = attributes_of(node)
    if node.op_type in POOLING:
        padded = any(found.get("pads", ())) and found.get("count_include_pad", 0)
        return None if padded or math.prod(constant.shape[2:]) != 1 else constant
    if node.op_type == "ReduceMean":
        given = found.get("axes", axes)
        over = tuple(int(axis) % constant.ndim for axis in ([] if given is None else given))
        if not over or any(constant.shape[axis] != 1 for axis in over):
            return None
        return constant if found.get("keepdims", 1) else constant.squeeze(over)
    if node.op_type == "Transpose":
        turned = found.get("perm", ())
        return constant.transpose(turned) if turned and turned[0] == 0 else None
    if node.op_type in RESHAPING:
        before, after = shapes
        sizes = [size or 0 for size in (before or (0, 0))[1:]]
        if not all(sizes):
            return None
        whole = np.broadcast_to(constant, (1, *sizes))
        if after is None:  # rows of as many numbers as one example has, as the layer behind says
            return whole.reshape(1, -1)
        sizes = [size or 0 for size in after[1:]]
        return whole.reshape(1, *sizes) if math.prod(sizes) == whole.size else None
    return None


def carried_back(
    node: onnx.NodeProto, constant: np.ndarray, axes: np.ndarray | None
) -> np.ndarray | None:
    """Returns what a constant of an operator's output is of its input; None if it does not pass.

    Args:
        node: the operator.
        constant: of its output, (1, …).
        axes: that it adds or removes, if they are stored.
    """
    if node.op_type == "Transpose":
        turned = attributes_of(node).get("perm", ())
        return constant.transpose(np.argsort(turned)) if turned and turned[0] == 0 else None
    if axes is None or node.op_type not in ("Squeeze", "Unsqueeze"):
        return None
    rank = constant.ndim + (len(axes) if node.op_type == "Squeeze" else 0)
    over = tuple(int(axis) % rank for axis in axes)
    if 0 in over:
        return None
    if node.op_type == "Squeeze":
        return np.expand_dims(constant, over)
    return constant.squeeze(over) if all(constant.shape[axis] == 1 for axis in over) else None
