"""A step of Adam by TensorFlow's fused kernel."""

from collections.abc import Sequence

import keras
import tensorflow as tf


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    weights: Sequence[keras.Variable],
) -> None:
    """Changes weights by their gradients, as the optimizer would.

    Keras's Adam (Kingma & Ba 2015, arXiv:1412.6980) runs a dozen operators per weight matrix,
    which for a network this small take a quarter of a step; the kernel computes the same, on the
    moments that the optimizer holds.

    Args:
        optimizer: any of Keras's; one that is not plain Adam, or not built, applies them itself.
        gradients: one per weight, of its shape.
        weights: the trainable variables that the optimizer was built for.
    """
    if type(optimizer) is not keras.optimizers.Adam or not optimizer.built or optimizer.amsgrad:
        optimizer.apply(gradients, weights)
        return
    step = tf.cast(optimizer.iterations + 1, tf.float32)
    for gradient, weight in zip(gradients, weights, strict=True):
        index = optimizer._get_variable_index(weight)
        tf.raw_ops.ResourceApplyAdam(
            var=weight.value.handle,
            m=optimizer._momentums[index].value.handle,
            v=optimizer._velocities[index].value.handle,
            beta1_power=tf.pow(optimizer.beta_1, step),
            beta2_power=tf.pow(optimizer.beta_2, step),
            lr=tf.convert_to_tensor(optimizer.learning_rate),
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )
    optimizer.iterations.assign_add(1)
