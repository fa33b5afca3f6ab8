"""What the layers of a Keras model give, those of models within it too."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from keras.src.models.functional import Functional

from export.model.loaded import SMALL_BATCH

MOST_BYTES = 64 << 20  # of the outputs of all layers, at a time


def has_layers(model: Any) -> bool:
    """Returns whether Keras tells what layers a model is made of."""
    return isinstance(model, keras.Sequential | Functional)


def layer_outputs(
    model: keras.Model, inputs: Mapping[str, np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the outputs of every layer for some of the examples after the other.

    Layers are watched as they are called: what a model within another gives there is not its
    `output`, which it has by itself.

    Args:
        model: one that `has_layers`.
        inputs: (N, …) by name, in the model's order.

    Returns:
        (n, …) by the layer's name, its call and its output; n is even, so that even and odd
        examples are halves, or the rest.
    """
    names = {id(layer): name for name, layer in _layers(model, "")}
    numbers = sum(
        math.prod(size or 1 for size in output.shape[1:])
        for _, layer in _layers(model, "")
        for output in keras.tree.flatten(layer.output)
    )
    batch = max(1, min(SMALL_BATCH, MOST_BYTES // (4 * numbers)) // 2) * 2
    plain = keras.Model(model.inputs, model.outputs)  # which takes its inputs in a list
    count = len(next(iter(inputs.values())))
    for start in range(0, count, batch):
        part = {name: values[start : start + batch] for name, values in inputs.items()}
        with _watched(names) as found:
            plain(list(part.values()))
        yield {**part, **found}


def _layers(model: keras.Model, within: str) -> Iterator[tuple[str, keras.Layer]]:
    """Yields the layers of a model and of those within it, and names that only one has."""
    for layer in model.layers:
        yield f"{within}{layer.name}", layer
        if has_layers(layer):
            yield from _layers(layer, f"{within}{layer.name}/")


@contextmanager
def _watched(names: Mapping[int, str]) -> Iterator[dict[str, np.ndarray]]:
    """Keeps what layers of some identities give, by their names, while they are called."""
    found: dict[str, np.ndarray] = {}
    calls = Counter[str]()
    call = keras.Layer.__call__

    def kept(layer: keras.Layer, *arguments: Any, **options: Any) -> Any:
        outputs = call(layer, *arguments, **options)
        name = names.get(id(layer))
        if name is not None and tf.executing_eagerly():  # no layer that another maps
            for number, value in enumerate(keras.tree.flatten(outputs)):
                found[f"{name}:{calls[name]}:{number}"] = np.asarray(value)
            calls[name] += 1
        return outputs

    with mock.patch.object(keras.Layer, "__call__", kept):
        yield found
