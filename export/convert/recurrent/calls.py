"""Calls of recurrent layers, computed by one operator for all steps in place of Keras's loop.

Everything around that operator is here, in TensorFlow's operators: which steps a mask leaves, in
what order outputs come, what Bidirectional makes of two directions.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import tensorflow as tf

from export.convert.recurrent.description import KERAS_2, Recurrent, describe

States = list[tf.Tensor]  # each (directions, examples, units) float32
# Computes a layer for a sequence (steps, examples, features), of which the lengths (examples,)
# int32 count if they are given, from states, or zeros. Returns all outputs (steps, directions,
# examples, units), zeros behind the lengths, and the last states: h, and c of an LSTM. What goes
# backwards keeps the order of steps.
Operator = Callable[
    [Recurrent, tf.Tensor, tf.Tensor | None, States | None], tuple[tf.Tensor, States]
]
MERGES = {"sum": tf.reduce_sum, "ave": tf.reduce_mean, "mul": tf.reduce_prod}


@contextmanager
def replaced(layers: Sequence[Any], operator: Operator) -> Iterator[None]:
    """Has layers that can be described compute by an operator while a model is called."""
    with ExitStack() as patches:
        for layer in layers:
            patches.enter_context(mock.patch.object(layer, "call", _call(layer, operator)))
        yield


def _call(layer: Any, operator: Operator) -> Callable[..., Any]:
    recurrent = describe(layer)
    of_keras_2 = type(layer).__module__.startswith(KERAS_2)

    # The names of the arguments are Keras's, which passes a mask to what has an argument of that
    # name; tf-keras gives initial states in a list behind the sequence too.
    def keras_3(
        sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        return tuple_or_one(computed(recurrent, operator, sequences, initial_state, mask))

    def keras_2(
        inputs: Any, mask: Any = None, training: Any = None, initial_state: Any = None
    ) -> Any:
        if isinstance(inputs, list | tuple):
            inputs, *initial_state = inputs
        found = computed(recurrent, operator, inputs, initial_state or None, mask)
        return found if len(found) > 1 else found[0]

    def tuple_or_one(found: list[tf.Tensor]) -> Any:
        return tuple(found) if len(found) > 1 else found[0]

    return keras_2 if of_keras_2 else keras_3


def computed(
    recurrent: Recurrent, operator: Operator, sequences: Any, initial_state: Any, mask: Any
) -> list[tf.Tensor]:
    """Returns what a layer returns: outputs, of both directions if they are apart, and states.

    Masked steps are left out exactly, wherever they are: what remains is moved to the front, so
    that its length is all that the operator needs to know, and outputs are moved back.

    Args:
        recurrent: the layer.
        operator: what computes it.
        sequences: (examples, steps, features).
        initial_state: one state (examples, units) or several, a Bidirectional's forward ones
            first; None for zeros.
        mask: (examples, steps), true where a step counts; None if all do.
    """
    x = tf.cast(sequences, tf.float32)
    before = _stacked(recurrent, initial_state)
    masks = [found for found in tf.nest.flatten(mask) if found is not None]
    kept = tf.cast(masks[0], tf.bool) if masks else None
    lengths = None
    if kept is not None:
        steps = x.shape[1] or tf.shape(x)[1]
        ones = _ones(kept)
        # of equal ones the first comes first
        order = tf.math.top_k(ones, steps, index_type=tf.int64).indices
        x = tf.gather(x, order, batch_dims=1)
        lengths = tf.cast(tf.reduce_sum(ones, axis=1), tf.int32)
    all_outputs, states = operator(recurrent, tf.transpose(x, (1, 0, 2)), lengths, before)
    if recurrent.return_sequences:
        outputs = tf.transpose(all_outputs, (2, 0, 1, 3))  # examples, steps, directions, units
        if kept is not None:
            outputs = tf.gather(outputs, _places(recurrent, kept), batch_dims=1)
        if recurrent.go_backwards:
            outputs = outputs[:, ::-1]
    else:
        outputs = tf.transpose(states[0], (1, 0, 2))
        if kept is not None and recurrent.zero_output_for_mask:
            last = kept[:, 0 if recurrent.go_backwards else -1]
            outputs = tf.where(last[:, None, None], outputs, 0.0)
    found = _merged(recurrent, outputs)
    if not recurrent.return_state:
        return found
    if lengths is not None and before is not None:  # where no step counts, states stay
        some = (lengths > 0)[None, :, None]
        states = [tf.where(some, new, old) for new, old in zip(states, before, strict=True)]
    if not recurrent.bidirectional:
        return [*found, *(tf.squeeze(state, axis=0) for state in states)]
    directions = [tf.unstack(state, axis=0) for state in states]
    return [*found, *(state for direction in zip(*directions, strict=True) for state in direction)]


def _ones(kept: tf.Tensor) -> tf.Tensor:
    """Returns 1 where a step counts, else 0: (examples, steps) float32.

    Of a mask that says whether any feature is another than 0, without two casts and a comparison.
    """
    made_by = kept.op
    if made_by.type == "Any" and not made_by.get_attr("keep_dims"):
        some, axes = made_by.inputs
        return tf.reduce_max(tf.cast(some, tf.float32), axis=axes)
    return tf.cast(kept, tf.float32)


def _stacked(recurrent: Recurrent, initial_state: Any) -> States | None:
    """Returns initial states, each with those of both directions."""
    given = [
        tf.cast(state, tf.float32) for state in tf.nest.flatten(initial_state) if state is not None
    ]
    if not given:
        return None
    states = recurrent.cells[0].states
    expected = states * len(recurrent.cells)
    if len(given) != expected:
        raise ValueError(
            f"layer {recurrent.name!r} is called with {len(given)} states, expected {expected}"
        )
    if not recurrent.bidirectional:
        return [tf.expand_dims(state, axis=0) for state in given]
    return [tf.stack(given[place::states], axis=0) for place in range(states)]


def _places(recurrent: Recurrent, kept: tf.Tensor) -> tf.Tensor:
    """Returns where, of the steps that were moved to the front, each step's output is.

    What gets zeros is told the last place, -1: if a step is masked, that is behind the length. No
    function of TensorFlow's takes -1, but ONNX's GatherND, which this becomes, does.
    """
    count = tf.cast(kept, tf.int64)
    so_far = tf.cumsum(count, axis=1)
    if recurrent.zero_output_for_mask:
        return so_far * count - 1
    if recurrent.go_backwards:  # the output of the next step that counts
        return so_far - count
    return so_far - 1


def _merged(recurrent: Recurrent, outputs: tf.Tensor) -> list[tf.Tensor]:
    """Returns outputs (examples, …, directions, units) as the layer merges them."""
    if not recurrent.bidirectional:
        return [tf.squeeze(outputs, axis=-2)]
    if recurrent.merge_mode is None:
        return list(tf.unstack(outputs, axis=-2))
    if recurrent.merge_mode != "concat":
        return [MERGES[recurrent.merge_mode](outputs, axis=-2)]
    width = 2 * recurrent.cells[0].units
    steps = [outputs.shape[1] or tf.shape(outputs)[1]] if recurrent.return_sequences else []
    return [tf.reshape(outputs, (-1, *steps, width))]
