"""Trains an integer file's weights, as the file computes with them."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.convert.objective import Objective, objective, training_batch
from export.convert.qat.network import Network
from export.convert.source import SourceModel
from export.runtimes.predict import in_calls
from train.fit.adam import apply

PEAK_LEARNING_RATE = 1e-4
SEED = 1
LEAST_SHARE = 1e-7  # whose logarithm is taken
SPARED = 10  # one example in so many is not trained on, and says after which epoch to stop
MOST_SPARED, FEWEST = 1000, 40  # of fewer examples, all are trained on
Tensors = Mapping[str, tf.Tensor]


def train(
    network: Network, source: SourceModel, epochs: int, batch: int, peak: float = PEAK_LEARNING_RATE
) -> None:
    """Changes a network's weights so that its outputs come closer to the model's, and the truth.

    The weights that are kept are those after the epoch, or before the first one, with the least
    loss on a tenth of the examples, which is not trained on.

    Args:
        network: what is trained.
        source: the model, and what it is trained with.
        epochs: how often it sees each example.
        batch: how many examples the file takes at a time.
        peak: the learning rate, which falls to zero along half a cosine.
    """
    inputs, outputs = source.teacher()
    truth = source.training_targets()
    objectives = {
        spec.name: objective(outputs[spec.name], truth.get(spec.name)) for spec in source.outputs
    }
    count = len(next(iter(inputs.values())))
    random = np.random.RandomState(SEED)
    order = random.permutation(count)
    spared = min(MOST_SPARED, count // SPARED) if count >= FEWEST else 0
    held, seen = order[:spared], order[spared:]
    size = -(-min(training_batch(source), len(seen)) // batch) * batch
    steps = -(-len(seen) // size)
    variables = network.weights.variables
    loss = _loss(network, objectives)
    step = _step(loss, variables, peak, steps * epochs)

    def part(rows: np.ndarray) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        return (
            {name: tf.constant(in_calls(values[rows], batch)) for name, values in inputs.items()},
            {
                name: tf.constant(in_calls(each.targets[rows], batch))
                for name, each in objectives.items()
            },
        )

    def mean_loss() -> float:
        parts = [held[start : start + size] for start in range(0, len(held), size)]
        return sum(len(rows) * float(loss(*part(rows))) for rows in parts)

    best, least = [variable.numpy() for variable in variables], mean_loss()
    for _ in range(epochs):
        rows = np.resize(random.permutation(seen), steps * size)
        for some in np.split(rows, steps):
            step(*part(some))
        found = mean_loss()
        if found < least or not spared:
            best, least = [variable.numpy() for variable in variables], found
    for variable, values in zip(variables, best, strict=True):
        variable.assign(values)


def _loss(
    network: Network, objectives: Mapping[str, Objective]
) -> Callable[[Tensors, Tensors], tf.Tensor]:
    """Returns what computes the loss of outputs that are not rounded any more."""

    def loss(given: Tensors, wanted: Tensors) -> tf.Tensor:
        _, found = network(given)
        return tf.add_n(
            [
                np.float32(each.weight) * loss_of(each.loss, found[name], wanted[name])
                for name, each in objectives.items()
            ]
        )

    compiled: Callable[[Tensors, Tensors], tf.Tensor] = tf.function(
        loss, autograph=False, reduce_retracing=True
    )
    return compiled


def _step(
    loss: Callable[[Tensors, Tensors], tf.Tensor], variables: list[Any], peak: float, steps: int
) -> Callable[[Tensors, Tensors], None]:
    """Returns what takes a step of Adam."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(peak, max(1, steps)))
    optimizer.build(variables)

    def step(given: Tensors, wanted: Tensors) -> None:
        with tf.GradientTape() as tape:
            found = loss(given, wanted)
        values = [variable.value for variable in variables]
        gradients = tape.gradient(found, values, unconnected_gradients="zero")
        apply(optimizer, [tf.convert_to_tensor(each) for each in gradients], variables)

    compiled: Callable[[Tensors, Tensors], None] = tf.function(step, autograph=False)
    return compiled


def loss_of(loss: str, found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Returns a loss, averaged over the examples.

    Args:
        loss: its name, as `objective` gives it.
        found: outputs.
        wanted: targets, of the same shape.
    """
    if loss == "mean_squared_error":
        return tf.reduce_mean(tf.square(found - wanted))
    found = tf.clip_by_value(found, LEAST_SHARE, 1 - LEAST_SHARE)
    entropy = wanted * tf.math.log(found)
    if loss == "binary_crossentropy":
        entropy += (1 - wanted) * tf.math.log(1 - found)
    return -tf.reduce_mean(tf.reduce_sum(entropy, -1))
