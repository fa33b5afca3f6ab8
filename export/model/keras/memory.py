"""What stateful layers remember from call to call, as inputs and outputs of the model.

A file remembers nothing, so that it answers the same whatever it was asked before. Who reads a
stream by it hands the states on: zeros to begin with, as after Keras's `reset_states`, then what
the call before returned.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import tensorflow as tf

from export.model.keras.inputs import is_a
from export.model.signature import NEXT, identifier
from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The states of a stateful layer.

    Attributes:
        layer: of Keras 3 or tf-keras.
        specs: of the states, in Keras's order, the forward layer's first; the batch None.
        structure: the same, nested as the layer has them.
    """

    layer: Any
    specs: tuple[TensorSpec, ...]
    structure: Any


def memories_of(layers: Iterable[Any], path: str) -> tuple[Memory, ...]:
    """Returns the states of a model's stateful layers; a Bidirectional's stand for its layers'.

    Raises:
        ToolkitError: a layer was not built, so that the shapes of its states are not known.
    """
    stateful = [
        layer
        for layer in layers
        if getattr(layer, "stateful", False) is True and hasattr(layer, "return_sequences")
    ]
    inside = {id(each) for layer in stateful for each in _directions(layer) if each is not layer}
    return tuple(_memory(layer, path) for layer in stateful if id(layer) not in inside)


def _memory(layer: Any, path: str) -> Memory:
    structure = [state for each in _directions(layer) for state in each.states or (None,)]
    leaves = tf.nest.flatten(structure)
    if any(leaf is None for leaf in leaves):
        raise ToolkitError(
            f"{path}: layer {layer.name!r} is stateful and has no states yet, expected it to be "
            "built; call the model once before it is saved, or build it with a batch_shape"
        )
    specs = [
        TensorSpec(
            name=f"{identifier(layer.name)}_state_{number}",
            shape=(None, *map(int, leaf.shape[1:])),
            dtype="float32",
        )
        for number, leaf in enumerate(leaves)
    ]
    return Memory(layer=layer, specs=tuple(specs), structure=structure)


def _directions(layer: Any) -> list[Any]:
    if is_a(layer, "Bidirectional"):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


@contextmanager
def remembered(
    memories: Sequence[Memory], tensors: Mapping[str, tf.Tensor]
) -> Iterator[dict[str, tf.Tensor]]:
    """Has stateful layers begin with states that are given, while a model is called.

    Args:
        memories: their states.
        tensors: these, by name.

    Yields:
        The states by the names of outputs: after each call of a layer, those that it left.
    """
    after = {spec.name: tensors[spec.name] for memory in memories for spec in memory.specs}
    named: dict[str, tf.Tensor] = {}
    with ExitStack() as patches:
        for memory in memories:
            patches.enter_context(
                mock.patch.object(memory.layer, "call", _call(memory, memory.layer.call, after))
            )
        yield named
        named.update({f"{name}{NEXT}": tf.identity(state) for name, state in after.items()})


def _call(
    memory: Memory, original: Callable[..., Any], states: dict[str, tf.Tensor]
) -> Callable[..., Any]:
    """Returns what replaces a layer's `call`; it reads and writes the states."""
    layer, names = memory.layer, [spec.name for spec in memory.specs]
    parts = [layer, *(each for each in _directions(layer) if each is not layer)]

    # the names of the arguments are Keras's, which passes a mask to what has one of that name
    def call(sequences: Any, *, mask: Any = None, training: Any = None) -> Any:
        given = tf.nest.pack_sequence_as(memory.structure, [states[name] for name in names])
        with _telling(parts):
            found = original(sequences, initial_state=given, mask=mask, training=training)
        leaves = tf.nest.flatten(found)
        states.update(zip(names, leaves[-len(names) :], strict=True))
        if layer.return_state:
            return found
        outputs = leaves[: -len(names)]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    return call


@contextmanager
def _telling(layers: Sequence[Any]) -> Iterator[None]:
    """Has layers return their states, and keep none."""
    before = [(layer, layer.stateful, layer.return_state) for layer in layers]
    for layer in layers:
        layer.stateful, layer.return_state = False, True
    try:
        yield
    finally:
        for layer, stateful, return_state in before:
            layer.stateful, layer.return_state = stateful, return_state
