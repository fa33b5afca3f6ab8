"""Small models of signals, and of pictures with more than one answer, not yet trained."""

import keras
from keras import layers

from tests.zoo.models.families import CLASSES, UNITS


def separable_signal() -> keras.Model:
    """Keywords in sound: separable convolutions along time."""
    signal = layers.Input((64, 10), name="signal")
    x = layers.Conv1D(16, 5, strides=2, padding="same", use_bias=False)(signal)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters in (24, 32):
        x = layers.SeparableConv1D(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def heartbeat() -> keras.Model:
    """A residual network along time with a squeeze and excitation."""
    signal = layers.Input((96, 2), name="signal")
    x = layers.Conv1D(16, 7, strides=2, padding="same", activation="relu")(signal)
    for _ in range(2):
        y = layers.Conv1D(16, 3, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv1D(16, 3, padding="same")(y)
        share = layers.Dense(4, activation="relu")(layers.GlobalAveragePooling1D()(y))
        share = layers.Reshape((1, 16))(layers.Dense(16, activation="sigmoid")(share))
        x = layers.ReLU()(layers.Add()([x, layers.Multiply()([y, share])]))
    x = layers.Flatten()(layers.MaxPooling1D(4)(x))
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def time_distributed() -> keras.Model:
    """The same layers for each of many steps."""
    return keras.Sequential(
        [
            layers.Input((50, 12), name="signal"),
            layers.TimeDistributed(layers.Dense(16, activation="relu")),
            layers.TimeDistributed(layers.Dense(8, activation="relu")),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def frames() -> keras.Model:
    """A network for each picture of a short film."""
    picture = keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(8, 3, strides=2, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
        ]
    )
    return keras.Sequential(
        [
            layers.Input((6, 12, 12, 3), name="film"),
            layers.TimeDistributed(picture),
            layers.Conv1D(16, 3, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def detector() -> keras.Model:
    """Two heads on one body: classes, and boxes in pixels."""
    image = layers.Input((32, 32, 3), name="image")
    x = image
    for filters in (8, 16, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    kind = layers.Dense(CLASSES, activation="softmax", name="head_kind")(x)
    size = layers.Dense(1, name="head_size")(layers.Dense(16, activation="relu")(x))
    return keras.Model(image, {"kind": kind, "size": size})


def causal_transformer() -> keras.Model:
    """A block of a language model: normalization first, a causal mask, scores of the next word."""
    signal = layers.Input((24, 8), name="signal")
    x = layers.Dense(UNITS)(signal)
    y = layers.LayerNormalization()(x)
    attention = layers.MultiHeadAttention(4, UNITS // 4)
    x = layers.Add()([x, attention(y, y, use_causal_mask=True)])
    y = layers.Dense(2 * UNITS, activation="silu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(UNITS)(y)])
    x = x[:, -1]
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))
