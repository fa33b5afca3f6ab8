"""The fused kernel of Adam against Keras's own operators."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from train.fit.adam import apply


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_steps_are_those_of_keras(name: str) -> None:
    random = np.random.default_rng(1)
    start = [random.normal(size=shape).astype(np.float32) for shape in ((5, 3), (3,))]
    sides = []
    for _ in range(2):
        weights = [keras.Variable(values) for values in start]
        optimizer = keras.optimizers.get(name)
        optimizer.build(weights)
        sides.append((optimizer, weights))
    (ours, mine), (theirs, others) = sides
    step = tf.function(lambda gradients: apply(ours, gradients, mine))
    for number in range(20):
        gradients = [tf.constant(random.normal(size=v.shape), tf.float32) for v in start]
        for optimizer in (ours, theirs):
            optimizer.learning_rate.assign(0.01 / (number + 1))
        step(gradients)
        theirs.apply(gradients, others)
    for weight, other, before in zip(mine, others, start, strict=True):
        assert np.abs(weight.numpy() - before).min() > 0
        np.testing.assert_allclose(weight.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)
    for variable, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(variable.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)
