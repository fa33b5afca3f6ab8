"""ONNX's LSTM, GRU and RNN for layers of Keras, in place of the loops that TensorFlow has.

https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from export.convert.onnx.graph.arrange import reads
from export.convert.recurrent.calls import States, replaced
from export.convert.recurrent.description import GATES, Activation, Cell, Kind, Recurrent

OPERATORS: dict[Kind, str] = {"simple": "RNN", "lstm": "LSTM", "gru": "GRU"}
# Where each gate of Keras's is taken from: ONNX has i, o, f, c of an LSTM.
GATE_ORDER: dict[Kind, tuple[int, ...]] = {"simple": (0,), "lstm": (0, 3, 1, 2), "gru": (0, 1, 2)}
ACTIVATIONS = {
    "linear": "Affine",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "hard_sigmoid": "HardSigmoid",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "softplus": "Softplus",
    "softsign": "Softsign",
}
LINEAR = Activation(name="linear", alpha=1.0, beta=0.0)
# TensorFlow's operator that stands for one of ONNX's until tf2onnx comes to it: nothing looks
# inside, and its token says which layer's it is. It is never run.
PLACEHOLDER = "PyFunc"


class RecurrentOperators:
    """Puts operators into a model that is traced, and converts them."""

    def __init__(self) -> None:
        """Begins with none."""
        self._made: dict[str, tuple[Recurrent, bool, bool]] = {}

    @contextmanager
    def replacing(self, layers: Sequence[Any]) -> Iterator[None]:
        """Has a model be traced with operators in place of some layers' loops."""
        with replaced(layers, self._operator):
            yield

    def handlers(self) -> dict[str, Any]:
        """Returns what tf2onnx's `custom_op_handlers` takes."""
        return {PLACEHOLDER: (self._converted, [])}

    def _operator(
        self,
        recurrent: Recurrent,
        sequence: tf.Tensor,
        lengths: tf.Tensor | None,
        before: States | None,
    ) -> tuple[tf.Tensor, States]:
        cell, directions = recurrent.cells[0], len(recurrent.cells)
        token = f"{recurrent.name} {len(self._made)}"
        self._made[token] = recurrent, lengths is not None, before is not None
        made = tf.raw_ops.PyFunc(
            input=[sequence, *([] if lengths is None else [lengths]), *(before or [])],
            token=token,
            Tout=[tf.float32] * (1 + cell.states),
        )
        steps, examples = sequence.shape[:2]
        shape = directions, examples, cell.units
        outputs, *states = made
        return tf.ensure_shape(outputs, (steps, *shape)), [
            tf.ensure_shape(state, shape) for state in states
        ]

    def _converted(self, context: Any, node: Any, name: str, _: Any) -> None:
        """Puts ONNX's operator in a placeholder's place, with the weights stored."""
        recurrent, has_lengths, has_states = self._made[node.get_attr_value("token").decode()]
        sequence, *others = node.input
        lengths = others.pop(0) if has_lengths else ""
        weights = [
            context.make_const(tf2onnx.utils.make_name(f"{name}_{each}"), values).output[0]
            for each, values in zip(("W", "R", "B"), weights_of(recurrent), strict=True)
        ]
        outputs = list(node.output)
        dtypes = [context.get_dtype(output) for output in outputs]
        steps, examples, _ = context.get_shape(sequence)
        shape = [len(recurrent.cells), examples, recurrent.cells[0].units]
        context.remove_node(name)
        context.make_node(
            OPERATORS[recurrent.cells[0].kind],
            [sequence, *weights, *([lengths, *others] if has_lengths or has_states else [])],
            attr=attributes_of(recurrent),
            name=name,
            outputs=outputs,
            shapes=[[steps, *shape], *[shape] * (len(outputs) - 1)],
            dtypes=dtypes,
        )


def weights_of(recurrent: Recurrent) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns W (directions, gates * units, features), R (…, units) and B (…), float32."""
    kernels, recurrents, biases = zip(*map(_weights_of, recurrent.cells), strict=True)
    return np.stack(kernels), np.stack(recurrents), np.stack(biases)


def _weights_of(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    def ordered(values: np.ndarray) -> np.ndarray:
        gates = np.split(values.T, GATES[cell.kind], axis=0)
        return np.concatenate([gates[place] for place in GATE_ORDER[cell.kind]])

    biases = np.concatenate([ordered(cell.bias), ordered(cell.recurrent_bias)])
    return ordered(cell.kernel), ordered(cell.recurrent_kernel), biases


def attributes_of(recurrent: Recurrent) -> dict[str, Any]:
    """Returns the operator's attributes."""
    cell = recurrent.cells[0]
    functions = [function for cell in recurrent.cells for function in _activations_of(cell)]
    attributes: dict[str, Any] = {
        "hidden_size": cell.units,
        "direction": "reverse" if recurrent.go_backwards else "forward",
        "activations": [ACTIVATIONS[function.name] for function in functions],
    }
    if recurrent.bidirectional:
        attributes["direction"] = "bidirectional"
    for parameter in ("alpha", "beta"):  # in a row, of those functions alone that have one
        found = [getattr(function, parameter) for function in functions]
        given = [value for value in found if value is not None]
        if given:
            attributes[f"activation_{parameter}"] = given
    if cell.kind == "gru":
        attributes["linear_before_reset"] = int(cell.reset_after)
    return attributes


def _activations_of(cell: Cell) -> list[Activation]:
    last = [cell.activation] * cell.states
    found = [*([cell.recurrent_activation] if cell.recurrent_activation else []), *last]
    return [LINEAR if function.name == "linear" else function for function in found]


def drop_unread_outputs(graph: onnx.GraphProto) -> None:
    """Takes the names from recurrent operators' outputs that nothing reads: none is computed."""
    read = {name for node in graph.node for name in reads(node)}
    read |= {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type in OPERATORS.values():
            node.output[:] = [name if name in read else "" for name in node.output]
            while not node.output[-1]:
                del node.output[-1]
