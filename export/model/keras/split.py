"""Outputs that a model concatenates last, as outputs of their own: each has a scale of its own."""

from typing import Any

import keras
from keras.src.models.functional import Functional

from export.model.signature import unique
from train.common.errors import ToolkitError

JOINS = "Concatenate"  # Keras's layer, and its operator


def split_outputs(model: Any, path: str) -> keras.Model:
    """Returns a model that gives the operands of each output's last concatenation instead of it.

    They share the layers and weights, stand in the place of the output, in the order in which they
    were concatenated, and are named `<output>_0`, `<output>_1` and so on.

    Args:
        model: the model; its own outputs stay as they are.
        path: where it is, for messages.

    Raises:
        ToolkitError: no output is a concatenation that can be seen.
    """
    if not isinstance(model, Functional):
        raise ToolkitError(
            f"{path}: got --split-outputs with a model of class {type(model).__name__}, expected "
            "one that was built by Keras 3's functional API; build it with separate outputs"
        )
    parts = [_operands(output) for output in model.outputs]
    if not any(parts):
        layers = ", ".join(sorted({_history(output)[0].name for output in model.outputs}))
        raise ToolkitError(
            f"{path}: got --split-outputs, but its outputs come from {layers}, expected a "
            "concatenation as the last layer; leave the option out, or end the model with one"
        )
    names, outputs = [], []
    for name, output, operands in zip(model.output_names, model.outputs, parts, strict=True):
        names += [f"{name}_{number}" for number in range(len(operands))] or [name]
        outputs += operands or [output]
    split = keras.Model(model._inputs_struct, outputs, name=model.name)
    split.output_names = unique(names, (tensor.name for tensor in model.inputs))
    return split


def _operands(output: Any) -> list[Any]:
    """Returns what is concatenated to an output, apart from examples; nothing if nothing is."""
    operation, node = _history(output)
    is_joined = type(operation).__name__ == JOINS and operation.axis % len(output.shape) != 0
    return list(operation._inbound_nodes[node].input_tensors) if is_joined else []


def _history(output: Any) -> tuple[Any, int]:
    """Returns the layer or operator that makes an output, and which of its calls does."""
    operation, node, _ = output._keras_history
    return operation, node
