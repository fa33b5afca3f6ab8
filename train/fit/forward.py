"""The forward pass of a network during its fit, up to the softmax."""

import keras
import tensorflow as tf


def logits(model: keras.Model, inputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """Returns what a chain of layers computes before the softmax of the last one, a Dense layer.

    The loss needs logits: where the softmax saturates, its output does not determine them.

    Args:
        model: the network.
        inputs: (N, …) float32, preprocessed.
        training: whether dropout is on and batch normalization uses the batch's own statistics.

    Returns:
        (N, classes) float32.
    """
    x = inputs
    *hidden, last = model.layers[1:]
    for layer in hidden:
        if training and isinstance(layer, keras.layers.BatchNormalization):
            x = _normalized(layer, x)
        else:
            x = layer(x, training=training)
    return tf.matmul(x, tf.convert_to_tensor(last.kernel)) + last.bias


def _normalized(layer: keras.layers.BatchNormalization, x: tf.Tensor) -> tf.Tensor:
    """Batch normalization by TensorFlow's fused kernel; Keras's operators take half an epoch.

    The running variance is that of a sample here (divided by N - 1), Keras's of a population.
    """
    x, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=tf.convert_to_tensor(layer.gamma),
        offset=tf.convert_to_tensor(layer.beta),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        is_training=True,
    )
    for running, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        running.assign(running * layer.momentum + found * (1 - layer.momentum))
    return x
