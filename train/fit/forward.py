"""The forward pass of a network during its fit, up to the softmax."""

import keras
import tensorflow as tf


def logits(model: keras.Model, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """Returns what a model computes before the softmax of its last layer, a Dense layer.

    The loss needs logits: where the softmax saturates, its output does not determine them. Of a
    model that ends otherwise, they are the logarithms of its outputs.

    Args:
        model: the network: a chain of layers, or any other whose outputs are probabilities.
        inputs: (N, …) float32, preprocessed.
        training: whether dropout is on and batch normalization uses the batch's own statistics.

    Returns:
        (N, classes) float32.
    """
    last = model.layers[-1]
    if not _ends_dense(last):
        return tf.math.log(tf.maximum(model(inputs, training=training), keras.config.epsilon()))
    if not is_chain(model):
        x = keras.Model(model.inputs, last.input)(inputs, training=training)
        return tf.matmul(x, tf.convert_to_tensor(last.kernel)) + last.bias
    x = inputs
    for layer in model.layers[1:-1]:
        if _is_of_pictures(layer):
            x = _normalized(layer, x, _momentum(model, layer) if training else None)
        else:
            x = layer(x, training=training)
    return tf.matmul(x, tf.convert_to_tensor(last.kernel)) + last.bias


def _ends_dense(last: keras.layers.Layer) -> bool:
    """Returns whether a layer is a Dense one of (N, …) with a bias and a softmax."""
    return (
        type(last) is keras.layers.Dense
        and last.use_bias
        and last.activation is keras.activations.softmax
        and len(last.input.shape) == 2
    )


def is_chain(model: keras.Model) -> bool:
    """Returns whether each layer reads what the one before it makes, and nothing else."""
    first, *others = model.layers
    if not isinstance(first, keras.layers.InputLayer) or len(model.inputs) != 1:
        return False
    x = first.output
    for layer in others:
        if layer.input is not x or len(layer._inbound_nodes) != 1:
            return False
        x = layer.output
    return x is model.outputs[0]


def _is_of_pictures(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is a batch normalization of (N, height, width, channels)."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and bool(layer.scale and layer.center and layer.trainable)
    )


def _momentum(model: keras.Model, layer: keras.layers.BatchNormalization) -> tf.Tensor:
    """Returns how much of the running statistics a step keeps: less in the first hundreds.

    As TensorFlow's moving averages with `num_updates`; fits of an epoch would be judged by what
    their first steps computed.
    """
    steps = tf.cast(model.optimizer.iterations, tf.float32)
    return tf.minimum(layer.momentum, (1 + steps) / (10 + steps))


def _normalized(
    layer: keras.layers.BatchNormalization, x: tf.Tensor, momentum: tf.Tensor | None
) -> tf.Tensor:
    """Batch normalization by TensorFlow's fused kernel; Keras's operators take half an epoch.

    With the batch's own statistics where a momentum is given, which says what becomes of the
    running ones. The running variance is that of a sample here (divided by N - 1), Keras's of a
    population.
    """
    mean, variance = (
        tf.convert_to_tensor(running) if momentum is None else tf.zeros(0)
        for running in (layer.moving_mean, layer.moving_variance)
    )
    x, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=tf.convert_to_tensor(layer.gamma),
        offset=tf.convert_to_tensor(layer.beta),
        mean=mean,
        variance=variance,
        epsilon=layer.epsilon,
        is_training=momentum is not None,
    )
    if momentum is not None:
        for running, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            running.assign(running * momentum + found * (1 - momentum))
    return x
