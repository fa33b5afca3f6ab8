"""An integer `.tflite` file as a TensorFlow network that computes what the file does."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from export.convert.qat.graph import NO_LIMITS, Graph, Operator, graphs_of
from export.convert.qat.operators.elementwise import NUMBERS
from export.convert.qat.operators.images import IMAGES
from export.convert.qat.operators.loops import lstm, while_loop
from export.convert.qat.operators.products import PRODUCTS
from export.convert.qat.operators.shapes import SHAPES
from export.convert.qat.values import Tensor, Value, stored_in
from export.convert.qat.weights import LSTM, Weights, factors_of
from train.common.errors import ToolkitError

WHILE = "WHILE"
OPERATORS = {**NUMBERS, **IMAGES, **PRODUCTS, **SHAPES, LSTM: lstm}
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


class Network:
    """Computes what a file does, whole numbers of steps between its operators.

    Jacob et al. 2018, https://arxiv.org/abs/1712.05877. Every value is rounded to the steps of the
    tensor that holds it in the file, so that what is trained is the file as it was converted:
    with its merged operators, its ranges, its weights in integers.

    Attributes:
        weights: what is trained.
    """

    def __init__(self, tree: Any) -> None:
        """Takes a file as the schema's objects.

        Raises:
            ToolkitError: an operator cannot be simulated, and is named.
        """
        self._graphs = graphs_of(tree)
        names = [op.name for graph in self._graphs for op in graph.operators]
        unknown = [name for name in dict.fromkeys(names) if name not in (*OPERATORS, WHILE)]
        if unknown:
            raise refusal(f"knows no {', '.join(unknown)}")
        self.weights = Weights(self._graphs)
        self.inputs, self.outputs = self._graphs[0].inputs, self._graphs[0].outputs
        self._kernels: dict[int, Value] = {}

    def __call__(self, inputs: Mapping[str, tf.Tensor]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns real outputs, (N, batch, …) by name: as the file gives them, and unrounded.

        Args:
            inputs: (N, batch, …) by name, real numbers, or whole ones of inputs of integers.
        """
        self._kernels = {id(kernel): kernel.value() for kernel in self.weights.kernels.values()}
        values = {}
        for tensor in self.inputs:
            dtype = tf.float32 if tensor.is_quantized else tensor.dtype.name
            data = tf.cast(inputs[tensor.name], dtype)
            if tensor.is_quantized:  # by a division, as callers do: half steps are common in pixels
                given = Value(data=data / tensor.step, unit=tensor.step)
            else:
                given = Value(data=data)
            values[tensor.index] = stored_in(given, tensor, NO_LIMITS)
        exact: dict[int, Value] = {}
        found = self._run(self._graphs[0], values, exact)
        unrounded = {
            tensor.name: exact.get(self._made_as(tensor).index, value).real
            for tensor, value in zip(self.outputs, found, strict=True)
        }
        real = {tensor.name: v.real for tensor, v in zip(self.outputs, found, strict=True)}
        return real, unrounded

    @property
    def steps(self) -> dict[str, float]:
        """What one step of each output is worth, by name; 0 where it is computed in float."""
        made = {tensor.name: self._made_as(tensor) for tensor in self.outputs}
        return {n: float(t.step) if t.is_quantized else 0.0 for n, t in made.items()}

    def _made_as(self, output: Tensor) -> Tensor:
        """Returns the tensor that holds an output before it is converted."""
        maker = {op.outputs[0].index: op for op in self._graphs[0].operators}
        while output.index in maker and maker[output.index].name in CONVERSIONS:
            (given,) = maker[output.index].inputs
            if given is None or not (given.is_quantized or output.is_quantized):
                break
            output = given
        return output

    def _run(
        self, graph: Graph, values: dict[int, Value], exact: dict[int, Value] | None = None
    ) -> list[Value]:
        for op in graph.operators:
            given = [self._read(graph, op, place, values) for place in range(len(op.inputs))]
            try:
                made = self._made(op, given)
            except ValueError as error:
                raise refusal(f"cannot simulate {op.name}: {error}") from error
            for tensor, value in zip(op.outputs, made, strict=True):
                if exact is not None:
                    exact[tensor.index] = value
                held = value
                if op.name != WHILE:
                    held = stored_in(value, tensor, op.limits)
                values[tensor.index] = held
        return [values[t.index] if t.index in values else _constant(t) for t in graph.outputs]

    def _made(self, op: Operator, given: Sequence[Value | None]) -> list[Value]:
        if op.name == WHILE:
            condition = self._graphs[op.options.condSubgraphIndex]
            body = self._graphs[op.options.bodySubgraphIndex]
            return while_loop([v for v in given if v is not None], condition, body, self._run)
        if op.name == LSTM:
            return [lstm(op, *given)]
        while given and given[-1] is None:
            given = given[:-1]
        made = OPERATORS[op.name](op, *given)
        return list(made) if isinstance(made, list) else [made]

    def _read(
        self, graph: Graph, op: Operator, place: int, values: Mapping[int, Value]
    ) -> Value | None:
        tensor = op.inputs[place]
        if tensor is None:
            return None
        if tensor.index in values:
            return values[tensor.index]
        key = graph.number, tensor.index
        if key in self.weights.kernels:
            return self._kernels[id(self.weights.kernels[key])]
        factors = factors_of(op, place)
        if key in self.weights.biases and factors:
            x, w = (self._read(graph, op, each, values) for each in factors)
            if x is not None and w is not None:
                return self.weights.biases[key].value(x.unit * w.unit)
        return _constant(tensor)


def refusal(reason: str) -> ToolkitError:
    """Returns the error that says why a file cannot be trained."""
    return ToolkitError(
        f"quantization-aware training {reason}; use tflite-int8, which needs no training"
    )


def _constant(tensor: Tensor) -> Value:
    """Returns stored numbers."""
    if tensor.stored is None:
        return Value(data=tf.zeros(tensor.shape), batched=False)  # a state that nothing wrote
    if not tensor.is_quantized:
        return Value(data=tf.constant(tensor.stored), batched=False)
    if tensor.scale.size == 1:
        return Value(data=tf.constant(tensor.steps), unit=tensor.step, batched=False)
    real = tensor.steps * tensor.scale.reshape(tensor.channels)
    return Value(data=tf.constant(real), batched=False)
