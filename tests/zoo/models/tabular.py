"""Small models of tables and of vectors, not yet trained."""

import keras
from keras import layers, ops

from tests.zoo.models.families import CLASSES


def tabular() -> keras.Model:
    """The most usual network of a table: normalization between dense layers."""
    return keras.Sequential(
        [
            layers.Input((12,), name="row"),
            layers.BatchNormalization(),
            layers.Dense(32, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def seven_inputs() -> keras.Model:
    """Six columns and a vector, each by itself; one price."""
    columns = [layers.Input((1,), name=f"column{number}") for number in range(6)]
    vector = layers.Input((8,), name="vector")
    x = layers.Concatenate()([*(layers.Dense(4, activation="relu")(each) for each in columns)])
    x = layers.Concatenate()([x, layers.Dense(8, activation="tanh")(vector)])
    x = layers.Dense(24, activation="relu")(x)
    return keras.Model([*columns, vector], layers.Dense(1, name="head_price")(x))


def dense_autoencoder() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((64,), name="features"),
            layers.Dense(32, activation="elu"),
            layers.Dense(8, activation="tanh"),
            layers.Dense(32, activation="elu"),
            layers.Dense(64, activation="sigmoid", name="head"),
        ]
    )


def unit_vectors() -> keras.Model:
    """An embedding of unit length, as nearest neighbours are looked up by."""
    return keras.Sequential(
        [
            layers.Input((24,), name="features"),
            layers.Dense(48, activation="gelu"),
            layers.LayerNormalization(),
            layers.Dense(16),
            layers.UnitNormalization(name="head"),
        ]
    )


def fuzzy_rules() -> keras.Model:
    """Bells around learnt centres, weighed against each other: exponents, sums and a quotient."""
    row = layers.Input((6,), name="row")
    distances = layers.Dense(12)(row)
    bells = ops.exp(-ops.square(distances))
    shares = bells / (ops.sum(bells, axis=-1, keepdims=True) + 1e-3)
    return keras.Model(row, layers.Dense(CLASSES, activation="softmax", name="head")(shares))


def mixture() -> keras.Model:
    """A gate weighs four experts."""
    row = layers.Input((16,), name="row")
    gate = layers.Dense(4, activation="softmax")(row)
    experts = layers.Reshape((4, 16))(layers.Dense(64, activation="relu")(row))
    x = ops.sum(experts * ops.expand_dims(gate, -1), axis=1)
    return keras.Model(row, layers.Dense(CLASSES, activation="softmax", name="head")(x))
