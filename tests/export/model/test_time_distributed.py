"""TimeDistributed layers become one call of their layer, and give what they gave step by step."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers

from export.model.keras.call import open_keras
from export.model.keras.time_distributed import time_in_batch, treats_each_alone
from export.model.loaded import traced
from export.model.request import ModelRequest

pytestmark = pytest.mark.slow  # it traces models with TensorFlow

STEPS, FILM = 30, (8, 8, 3)
FEW = 60  # operators of a graph in which no step has its own; 30 steps have 90 at least


@keras.saving.register_keras_serializable("tests")
class Crossing(layers.Layer):
    """Takes the mean over the batch, which no other step's examples may enter."""

    def call(self, x: Any) -> Any:
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def picture_network(library: Any) -> Any:
    """Convolution, normalization with statistics of its own, a layer that takes a shape."""
    model = library.Sequential(
        [
            library.layers.Input(FILM),
            library.layers.Conv2D(4, 3, strides=2),
            library.layers.BatchNormalization(),
            library.layers.Reshape((3, 12)),
            library.layers.Flatten(),
        ]
    )
    random = np.random.RandomState(0)
    model.set_weights([np.abs(random.normal(size=w.shape)) for w in model.get_weights()])
    return model


def dense(library: Any) -> Any:
    return library.layers.Dense(5, activation="relu")


def convolution(library: Any) -> Any:
    return library.layers.Conv2D(4, 3, padding="same")


def recurrent(library: Any) -> Any:
    return library.layers.LSTM(3)


INNER = {
    "dense": (dense, (7,)),
    "convolution": (convolution, FILM),
    "network": (picture_network, FILM),
    "recurrent": (recurrent, (4, 3)),
}


def film_model(library: Any, inner: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    return library.Sequential(
        [library.layers.Input((STEPS, *shape)), library.layers.TimeDistributed(inner(library))]
    )


@pytest.mark.parametrize("batch", [1, 3, None])
@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("name", INNER)
def test_time_goes_into_the_batch_with_the_same_values(
    name: str, library: Any, batch: int | None
) -> None:
    inner, shape = INNER[name]
    original = film_model(library, inner, shape)
    model = open_keras(original, ModelRequest(path="film"), lambda _: None)
    graph = traced(model.call, model.inputs, batch)
    (spec,) = model.inputs
    x = np.random.RandomState(1).random_sample((batch or 3, STEPS, *shape)).astype(np.float32)
    (found,) = graph(**{spec.name: x}).values()
    np.testing.assert_allclose(found, original(x), rtol=1e-5, atol=1e-5)
    operators = [node.op for node in graph.graph.as_graph_def().node if node.op != "Const"]
    assert len(operators) < FEW, operators
    assert model.outputs[0].shape[1] == STEPS


def test_the_model_itself_stays_as_it_is() -> None:
    call = layers.TimeDistributed.call
    original = film_model(keras, dense, (7,))
    with time_in_batch(original):
        assert layers.TimeDistributed.call is not call
    assert layers.TimeDistributed.call is call


def test_what_mixes_the_examples_of_a_batch_keeps_its_steps() -> None:
    original = film_model(keras, lambda _: Crossing(), (7,))
    x = np.random.RandomState(0).random_sample((4, STEPS, 7)).astype(np.float32)
    assert not treats_each_alone(Crossing())
    inner = keras.Sequential([layers.Input((7,)), layers.Dense(3), Crossing()])
    assert not treats_each_alone(inner)
    assert not treats_each_alone(layers.LSTM(3, stateful=True))
    with time_in_batch(original):
        np.testing.assert_allclose(original(x), x - x.mean(axis=0, keepdims=True), atol=1e-6)


def test_masked_steps_are_left_to_keras() -> None:
    signal = layers.Input((6, 4, 3))
    mask = layers.Input((6, 4), dtype="bool")
    distributed = layers.TimeDistributed(layers.LSTM(2))
    original = keras.Model([signal, mask], distributed(signal, mask=mask))
    random = np.random.RandomState(0)
    x = random.random_sample((2, 6, 4, 3)).astype(np.float32)
    known = random.random_sample((2, 6, 4)) < 0.6
    expected = original([x, known])
    with time_in_batch(original):
        np.testing.assert_allclose(original([x, known]), expected, atol=1e-6)
    assert not np.allclose(expected, original([x, np.ones_like(known)]), atol=1e-3)
