"""The numbers of an integer file that are trained: kernels, biases and tables.

Kernels have the scale that their largest weight asks for, channel by channel, at every step
(Krishnamoorthi 2018, https://arxiv.org/abs/1806.08342), biases the unit of the products that they
are added to. Tables, whose entries are handed on in the scale that they have, keep it.
"""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.convert.qat.graph import Graph, Operator
from export.convert.qat.operators.products import WEIGHTS
from export.convert.qat.values import Tensor, Value, straight_through

LARGEST = 127  # a kernel's steps are symmetric
LEAST_SCALE = 1e-12
TABLES = {"GATHER": 0, "EMBEDDING_LOOKUP": 1, "BATCH_MATMUL": 1}
# Of the LSTM operator: kernels and the recurrent kernels, and the biases of the four gates.
LSTM_KERNELS, LSTM_BIASES = range(1, 9), range(12, 16)
LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
INTEGERS = (np.int8, np.int16)


@dataclass(eq=False)
class Kernel:
    """A kernel, or a table: one variable for all tensors that hold the same numbers."""

    variable: Any
    first: Tensor
    least: np.ndarray | None  # scales are no smaller; None for a scale that is kept
    tensors: list[tuple[int, int]] = field(default_factory=list)  # graph, tensor

    def scales(self) -> tf.Tensor:
        """Returns the scales, one for the tensor or for each channel."""
        if self.least is None:
            return tf.constant(self.first.scale)
        axes = [a for a, size in enumerate(self.first.channels) if size == 1]
        largest = tf.reduce_max(tf.abs(tf.stop_gradient(self.variable.value)), axes)
        return tf.reshape(
            tf.maximum(largest / LARGEST, tf.reshape(self.least, largest.shape)), [-1]
        )

    def value(self) -> Value:
        """Returns the steps and their unit."""
        scales = self.scales()
        steps = self.variable.value / tf.reshape(scales, self.first.channels)
        if self.least is None:
            steps = tf.clip_by_value(steps, *self.first.limits)
        unit = scales if self.first.scale.size > 1 else scales[0]
        return Value(data=straight_through(steps, tf.round(steps)), unit=unit, batched=False)


@dataclass(eq=False)
class Bias:
    """A bias, in real numbers."""

    variable: Any
    first: Tensor
    tensors: list[tuple[int, int]] = field(default_factory=list)

    def value(self, unit: Any) -> Value:
        """Returns the steps of products in a unit."""
        steps = self.variable.value / unit
        return Value(data=straight_through(steps, tf.round(steps)), unit=unit, batched=False)

    def steps(self, unit: np.ndarray) -> np.ndarray:
        """Returns the whole numbers that a file holds, of products in a unit."""
        limits = np.iinfo(self.first.dtype)
        real = self.variable.numpy() / unit
        found: np.ndarray = np.clip(np.rint(real), limits.min, limits.max)
        return found.astype(self.first.dtype)


class Weights:
    """What is trained of a file.

    Attributes:
        kernels, biases: by graph and tensor.
    """

    def __init__(self, graphs: list[Graph]) -> None:
        self.kernels: dict[tuple[int, int], Kernel] = {}
        self.biases: dict[tuple[int, int], Bias] = {}
        self._same: dict[Any, Any] = {}
        for graph in graphs:
            for op in graph.operators:
                self._add(graph.number, op)

    @property
    def variables(self) -> list[Any]:
        """The variables, each once."""
        found = [each.variable for each in self.kernels.values()]
        found += [each.variable for each in self.biases.values()]
        return list({id(variable): variable for variable in found}.values())

    def _add(self, graph: int, op: Operator) -> None:
        kernels, biases, tables = [], [], []
        if op.name in WEIGHTS:
            kernels, biases = [WEIGHTS[op.name][0]], [WEIGHTS[op.name][1]]
        elif op.name == LSTM:
            kernels, biases = list(LSTM_KERNELS), list(LSTM_BIASES)
        elif op.name in TABLES:
            tables = [TABLES[op.name]]
        for place in (*kernels, *tables):
            tensor = op.inputs[place]
            if tensor is None or tensor.stored is None or not tensor.is_quantized:
                return
            self._kernel(graph, tensor, keeps=place in tables)
        for place in biases:
            bias = op.inputs[place] if place < len(op.inputs) else None
            if bias is not None and bias.stored is not None and bias.scale.size:
                self._bias(graph, bias)

    def _kernel(self, graph: int, tensor: Tensor, *, keeps: bool) -> None:
        key = tensor.buffer, tensor.scale.tobytes(), tensor.axis, tensor.zero_point
        if key not in self._same:
            steps, shape = tensor.steps, tensor.channels
            # a converter may have had a reason for a larger scale, such as a bias in its unit
            axes = tuple(a for a, size in enumerate(shape) if size == 1)
            full = np.abs(steps).max(axis=axes, initial=0).reshape(-1) >= LARGEST
            least = np.where(full, LEAST_SCALE, tensor.scale).astype(np.float32)
            self._same[key] = Kernel(
                keras.Variable(steps * tensor.scale.reshape(shape), name="kernel"), tensor, least
            )
        found = self._same[key]
        if keeps:
            found.least = None
        found.tensors.append((graph, tensor.index))
        self.kernels[graph, tensor.index] = found

    def _bias(self, graph: int, tensor: Tensor) -> None:
        key = "bias", tensor.buffer, tensor.scale.tobytes()
        if key not in self._same:
            real = keras.Variable(tensor.steps * tensor.scale, name="bias")
            self._same[key] = Bias(real, tensor)
        found = self._same[key]
        found.tensors.append((graph, tensor.index))
        self.biases[graph, tensor.index] = found


def factors_of(op: Operator, place: int) -> tuple[int, int] | None:
    """Returns the places of what is multiplied, to whose products the bias at a place is added."""
    if op.name == LSTM and place in LSTM_BIASES:
        return 0, place - LSTM_BIASES[0] + LSTM_KERNELS[0]
    if op.name in WEIGHTS and place == WEIGHTS[op.name][1]:
        return (2 if op.name == "TRANSPOSE_CONV" else 0), WEIGHTS[op.name][0]
    return None
