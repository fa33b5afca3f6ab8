"""Small networks of many operators."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def dense() -> keras.Model:
    image = keras.Input((28, 28), batch_size=1)
    x = layers.Flatten()(image)
    x = layers.Dense(33, "relu")(x)
    x = layers.Dense(17, "tanh")(layers.Reshape((3, 11))(x))
    x = layers.Dense(6, "relu6")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10, "softmax")(x))


def convolutions() -> keras.Model:
    image = keras.Input((15, 16, 3), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu6")(image)
    x = layers.Conv2D(10, (2, 3), strides=2, padding="same")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.Conv2D(16, 1)(x)
    x = layers.Conv2D(8, 3, groups=2, padding="same")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same")(x)
    x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x)
    x = layers.Conv2DTranspose(4, 4, strides=3)(x)
    x = layers.AveragePooling2D(3, 2, "same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(5, "sigmoid")(x))


def tiles() -> keras.Model:
    """Channels and windows that leave all the remainders of many positions at once."""
    image = keras.Input((11, 9, 3), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(21, 1, activation="relu")(x)
    x = layers.DepthwiseConv2D(5, padding="same", activation="relu")(x)
    x = layers.Conv2D(36, 1)(x)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", activation="relu6")(x)
    x = layers.Conv2D(140, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D((2, 4), padding="same")(x)
    x = layers.Conv2D(10, (5, 4), padding="same", activation="relu")(x)
    x = layers.Conv2D(19, 3, padding="same")(x)
    x = layers.Dense(18)(layers.Dense(20, "relu")(x))
    return keras.Model(image, layers.Conv2D(2, (2, 2))(x))


def columns() -> keras.Model:
    """Depthwise windows of 16 channels and more, in steps of one and of two, over few columns."""
    image = keras.Input((13, 12, 1), batch_size=1)
    x = layers.Conv2D(17, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Conv2D(51, 1, activation="relu6")(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(32, (1, 2), padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", dilation_rate=(2, 1))(x)
    x = layers.DepthwiseConv2D(3, activation="relu")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


class Reshaped(layers.Layer):
    """Another shape, the batch with it, as for what TimeDistributed applies to several pictures."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return tf.reshape(x, self.shape)


def pictures() -> keras.Model:
    given = keras.Input((3, 8, 7, 2), batch_size=1)
    x = Reshaped((3, 8, 7, 2))(given)
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3)(layers.Conv2D(20, 1)(x))
    x = layers.MaxPooling2D(2, 1)(layers.Conv2DTranspose(4, 2, strides=2)(x))
    x = layers.AveragePooling2D(2)(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(5)(Reshaped((1, 12))(x)))


def pools() -> keras.Model:
    """Windows of 2 x 2 side by side, of one and of more channels, and a row that is left over."""
    image = keras.Input((23, 18, 1), batch_size=1)
    x = layers.Conv2D(5, 2)(layers.AveragePooling2D(2)(image))
    x = layers.AveragePooling2D(2)(layers.MaxPooling2D(2)(x))
    return keras.Model(image, layers.Dense(5)(layers.Flatten()(x)))


def branches() -> keras.Model:
    image = keras.Input((12, 12, 4), batch_size=1)
    a = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    b = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.Subtract()([layers.Multiply()([layers.Add()([a, b]), a]), b])
    x = layers.Concatenate()([x, a, b])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, layers.Conv2D(24, 1, activation="sigmoid")(gate)])
    x = layers.Activation("hard_silu")(x)
    x = layers.Cropping2D(2)(layers.ZeroPadding2D(((1, 2), (0, 1)))(x))
    x = layers.Maximum()([x, layers.LeakyReLU()(x)])
    x = layers.Permute((2, 1, 3))(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, [layers.Dense(3)(x), layers.Softmax()(layers.Dense(7)(x))])


def resized() -> keras.Model:
    image = keras.Input((6, 5, 3), batch_size=1)
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(4, 3, padding="same")(image))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Resizing(7, 13)(x)
    return keras.Model(image, layers.Conv2D(2, 1)(x))


class Products(layers.Layer):
    """Products of matrices as they are, one turned, both turned, and one for all."""

    def call(self, x: keras.KerasTensor, z: keras.KerasTensor) -> list[keras.KerasTensor]:
        turned = tf.linalg.matmul(x, z, transpose_b=True)
        return [
            turned,
            tf.linalg.matmul(turned, z),
            tf.linalg.matmul(x, z, transpose_a=True),
            tf.linalg.matmul(x, z[:, :1], transpose_b=True),
        ]


class Masked(layers.Layer):
    """What no later place sees, as a causal mask has it, for each of several heads."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return tf.where(np.tri(5, dtype=bool)[np.newaxis, np.newaxis], x, -2.0)


class Difference(layers.Layer):
    """The squares of differences."""

    def call(self, x: keras.KerasTensor, z: keras.KerasTensor) -> keras.KerasTensor:
        return tf.math.squared_difference(x, z)


def products() -> keras.Model:
    x, z = (keras.Input((3, 5, 7), name=name, batch_size=1) for name in "xz")
    relu = layers.ReLU()(z)
    mean = layers.GlobalAveragePooling2D(keepdims=True)(relu)
    differences = [Difference()(x, z), Difference()(x, mean)]
    first, *others = Products()(x, relu)
    return keras.Model([x, z], [Masked()(first), first, *others, *differences])


def steps() -> keras.Model:
    rows = keras.Input((6, 5), batch_size=1)
    x = layers.Conv1D(8, 3, padding="causal", activation="relu")(rows)
    lstm, gru = layers.LSTM(5, unroll=True), layers.GRU(4, unroll=True)
    for layer in (lstm, gru):
        layer.cell.implementation = 1  # else TFLite leaves a SPLIT in float in some processes
    return keras.Model(rows, layers.Dense(4)(layers.Concatenate()([lstm(x), gru(rows)])))


def two() -> keras.Model:
    first, second = (keras.Input((n,), name=f"in{n}", batch_size=1) for n in (4, 3))
    x = layers.Dense(6, "gelu")(layers.Concatenate()([first, second]))
    return keras.Model([first, second], [x, layers.Dense(2, "silu")(x)])


def passed_on() -> keras.Model:
    image = keras.Input((4, 4, 2), batch_size=1)
    return keras.Model(image, [layers.Reshape((32,))(image), layers.ReLU()(image)])


MODELS: dict[str, Callable[[], keras.Model]] = {
    each.__name__: each
    for each in (
        dense,
        convolutions,
        tiles,
        columns,
        pictures,
        pools,
        products,
        branches,
        resized,
        steps,
        two,
        passed_on,
    )
}
