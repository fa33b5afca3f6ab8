"""Rebuilds a model for tf-keras, and checks that the copy computes the same.

tensorflow-model-optimization knows tf-keras (Keras 2) only.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from export.convert.finetune.folding import fold, weights_of
from export.convert.finetune.graph import Call, Graph, Tensor, fill_in, graph_of
from export.convert.finetune.layers import copy_layer, refusal
from export.model.loaded import LoadedModel
from export.model.reason import reason_of
from export.model.signature import unique

CHECKED_EXAMPLES = 8
TOLERANCE = 1e-3  # of the largest value: what the order of sums makes of float32
Chains = Mapping[int, tuple[Any, ...]]


def rebuild(model: LoadedModel, inputs: Mapping[str, np.ndarray]) -> Any:
    """Returns a tf-keras copy of a model, with its weights and without nested models.

    Args:
        model: a model of layers, of Keras 3 or tf-keras.
        inputs: some examples (N, …) by name, on which both have to compute the same.

    Raises:
        ToolkitError: a layer cannot be rebuilt, or its copy computes something else; it is named.
    """
    graph = fold(graph_of(model))
    copy, chains = _copied(graph, model)
    some = {name: values[:CHECKED_EXAMPLES] for name, values in inputs.items()}
    expected = model.predict(some, batch_size=CHECKED_EXAMPLES)
    given = [tf.constant(some[spec.name], spec.dtype) for spec in model.inputs]
    outputs = tf.nest.flatten(copy(given, training=False))
    for spec, output in zip(model.outputs, outputs, strict=True):
        if not _is_close(expected[spec.name], output.numpy()):
            raise refusal(
                _first_different(graph, chains, given),
                "computes something else when it is rebuilt for fine-tuning",
            )
    return copy


def _copied(graph: Graph, model: LoadedModel) -> tuple[Any, Chains]:
    """Returns the copy, and the copied layers by the identity of the layer copied."""
    symbols = [
        tf_keras.Input(spec.shape[1:], dtype=spec.dtype, name=spec.name) for spec in model.inputs
    ]
    values: dict[Tensor, Any] = dict(zip(graph.inputs, symbols, strict=True))
    original = {id(call.layer): call.layer.name for call in graph.calls}
    taken = [spec.name for spec in model.inputs]
    names = dict(zip(original, unique(original.values(), taken), strict=True))
    chains: dict[int, tuple[Any, ...]] = {}
    for call in graph.calls:
        key = id(call.layer)
        try:
            if key not in chains:
                chains[key] = copy_layer(call, names[key], values[call.reads[0]])
                results = _run(chains[key], call, values)
                _set_weights(chains[key], weights_of(call))
            else:
                results = _run(chains[key], call, values)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            reason = f"cannot be rebuilt for fine-tuning: {reason_of(error)}"
            raise refusal(call.layer, reason) from error
        values.update(zip(call.outputs, results, strict=True))
    outputs = [values[tensor] for tensor in graph.outputs]
    return tf_keras.Model(symbols, outputs if len(outputs) > 1 else outputs[0]), chains


def _run(chain: tuple[Any, ...], call: Call, values: Mapping[Tensor, Any]) -> list[Any]:
    """Returns what a layer's copy makes of the values of a call, flattened."""
    if not chain:
        return [values[call.reads[0]]]
    first, *others = chain
    result = first(*fill_in(call.args, values), **fill_in(dict(call.kwargs), values))
    for layer in others:
        result = layer(result)
    return list(tf.nest.flatten(result))


def _set_weights(chain: tuple[Any, ...], weights: list[np.ndarray]) -> None:
    remaining = list(weights)
    for layer in chain:
        count = len(layer.weights)
        layer.set_weights(remaining[:count])
        del remaining[:count]
    if remaining:
        raise ValueError(f"{len(remaining)} weights more than tf-keras knows")


def _first_different(graph: Graph, chains: Chains, inputs: list[tf.Tensor]) -> Any:
    """Returns the first layer whose copy makes something else of the same values.

    Or the last one, if only their sum is too far away.
    """
    values: dict[Tensor, Any] = dict(zip(graph.inputs, inputs, strict=True))
    for call in graph.calls:
        args, kwargs = fill_in(call.args, values), fill_in(dict(call.kwargs), values)
        if call.reads_folded is not None:
            args, kwargs = tf.nest.map_structure(call.reads_folded, (args, kwargs))
        result = call.layer(*args, **kwargs)
        if call.folded is not None:
            result = call.folded(result)
        expected = tf.nest.flatten(result)
        found = _run(chains[id(call.layer)], call, values)
        if not all(
            _is_close(np.asarray(one), np.asarray(other))
            for one, other in zip(expected, found, strict=True)
        ):
            return call.layer
        values.update(zip(call.outputs, expected, strict=True))
    return graph.calls[-1].layer


def _is_close(expected: np.ndarray, found: np.ndarray) -> bool:
    return expected.shape == found.shape and bool(
        np.allclose(found, expected, rtol=0, atol=TOLERANCE * float(np.abs(expected).max()) + 1e-6)
    )
