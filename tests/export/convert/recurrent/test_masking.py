"""Masking layers of zeros, which change nothing but the mask."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from export.convert.recurrent.masking import masks_alone

STEPS, FEATURES = 5, 3


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf-keras"])
@pytest.mark.parametrize(("value", "same"), [(0.0, True), (2.0, False)])
def test_a_layer_behind_still_gets_the_mask(value: float, same: bool, library: Any) -> None:
    x = np.random.default_rng(1).normal(size=(4, STEPS, FEATURES)).astype(np.float32)
    x[1, 2:] = x[2, 1] = value
    source = library.Input((STEPS, FEATURES))
    masking = library.layers.Masking(value)(source)
    model = library.Model(source, [masking, library.layers.SimpleRNN(2)(masking)])
    expected = [np.asarray(found) for found in model(x)]
    with masks_alone(model.layers):
        found = tf.function(model).get_concrete_function(tf.TensorSpec(x.shape))
        outputs = found(tf.constant(x))
    for output, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, wanted, atol=1e-6)
    np.testing.assert_equal(bool(np.array_equal(outputs[0], x)), same)
    (again,) = {bool(np.array_equal(np.asarray(model(x)[0]), expected[0]))}
    assert again
