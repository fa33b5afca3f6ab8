"""The forward pass of a fit computes what Keras does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import synthetic
from train.data.fit_data import preprocessed
from train.fit import forward
from train.fit.model import build_model
from train.recipes.recipe import RECIPES, Hyperparameters

IMAGES = preprocessed(tf.constant(synthetic(100, seed=2).images))


def test_batch_normalization_is_that_of_keras() -> None:
    """All but the running variance, which is of a sample, and what the first steps keep."""
    chosen = Hyperparameters(units=4, learning_rate=1e-3, recipe=RECIPES["cnn"])
    ours, theirs = build_model(chosen), build_model(chosen)
    theirs.set_weights(ours.get_weights())
    ours.optimizer.iterations.assign(10_000)
    found = forward.logits(ours, IMAGES, training=True).numpy()
    assert np.allclose(tf.nn.softmax(found), theirs(IMAGES, training=True), atol=1e-5)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        few = 100 * 7 * 7
        assert np.allclose(mine, other, rtol=1e-3 + 1 / few, atol=1e-5), mine.path


@pytest.mark.parametrize("functional", [True, False])
def test_batch_normalization_of_other_shapes_is_left_to_keras(*, functional: bool) -> None:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.BatchNormalization(axis=1),
            layers.Reshape((28, 28, 1)),
            layers.BatchNormalization(scale=False),
            layers.Flatten(),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    if functional:
        model = keras.Model(model.inputs, model.outputs)
    assert forward.is_chain(model) is functional
    model.compile("adam")
    found = tf.nn.softmax(forward.logits(model, IMAGES, training=True))
    assert np.allclose(found, model(IMAGES, training=True), atol=1e-5)
