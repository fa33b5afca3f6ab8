from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import layers

from export.convert.finetune.rebuild import rebuild
from export.model.load import load_model
from export.model.request import ModelRequest
from tests.export.convert.finetune.finetune_models import (
    ALL,
    inputs_of,
    loaded,
    residual,
    with_statistics,
)
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


def rebuilt(model: Any) -> Any:
    opened = loaded(model)
    return rebuild(opened, inputs_of(opened, 8))


def model_of(*chain: Any, shape: tuple[int | None, ...] = (6, 4)) -> keras.Model:
    return keras.Sequential([keras.Input(shape, name="image"), *chain])


def assert_same(model: Any, copy: Any) -> None:
    opened = loaded(model)
    inputs = inputs_of(opened, 20)
    expected = opened.predict(inputs, batch_size=20)
    found = tf.nest.flatten(copy([inputs[spec.name] for spec in opened.inputs]))
    for spec, output in zip(opened.outputs, found, strict=True):
        assert np.allclose(expected[spec.name], output, atol=1e-4)


@pytest.mark.parametrize("make", ALL)
def test_the_copy_computes_what_the_model_does(make: Callable[[], keras.Model]) -> None:
    keras.utils.set_random_seed(1)
    model = make()
    assert_same(model, rebuilt(model))


def test_batch_normalization_is_folded_where_it_can_be() -> None:
    kinds = [type(layer).__name__ for layer in rebuilt(residual()).layers]
    assert kinds.count("BatchNormalization") == 1  # after the sum
    assert kinds.count("DepthwiseConv2D") == 1  # of the separable convolution
    assert "Sequential" not in kinds
    assert "SpatialDropout2D" not in kinds


def test_batch_normalization_is_folded_forwards_where_nothing_else_is_before_it() -> None:
    x = image = keras.Input((9, 9, 2), name="image")
    x = layers.BatchNormalization()(x)  # of the inputs
    x = layers.BatchNormalization()(layers.Conv2D(4, 2, use_bias=False, activation="relu")(x))
    x = layers.DepthwiseConv2D(2, depth_multiplier=2, activation="relu")(layers.Dropout(0.2)(x))
    x = layers.Flatten()(layers.BatchNormalization()(x))  # whose axis the next layer does not have
    x = layers.BatchNormalization()(layers.Dense(8, activation="relu")(x))
    x = layers.Dropout(0.1)(layers.SpatialDropout1D(0.1)(layers.Reshape((2, 4))(x)))
    x = layers.BatchNormalization()(layers.Dense(5, activation="tanh")(x))
    x = layers.BatchNormalization()(layers.Dense(4)(layers.GaussianNoise(0.1)(x)))
    model = with_statistics(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))
    copy = rebuilt(model)
    assert_same(model, copy)
    kept = [each for each in copy.layers if isinstance(each, tf_keras.layers.BatchNormalization)]
    assert [each.output.shape[1:] for each in kept] == [(7, 7, 8), (8,)]


@pytest.mark.parametrize("reader", ["padded", "shared", "other", "output"])
def test_batch_normalization_is_not_folded_into_what_would_compute_otherwise(reader: str) -> None:
    image = keras.Input((6, 6, 2), name="image")
    x = layers.BatchNormalization()(layers.ReLU()(image))
    convolution = layers.Conv2D(3, 2, padding="same" if reader == "padded" else "valid")
    outputs = [convolution(x)]
    if reader == "shared":
        outputs.append(convolution(image))
    if reader == "other":
        outputs.append(layers.Flatten()(x))
    model = with_statistics(keras.Model(image, [*outputs, x] if reader == "output" else outputs))
    copy = rebuilt(model)
    assert any(isinstance(layer, tf_keras.layers.BatchNormalization) for layer in copy.layers)
    assert_same(model, copy)


def test_what_others_read_is_not_folded_into() -> None:
    image = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(3, 2)(image)
    y = layers.BatchNormalization(beta_initializer="ones")(x)
    model = keras.Model(image, layers.Add()([x, y]))
    copy = rebuilt(model)
    assert any(isinstance(layer, tf_keras.layers.BatchNormalization) for layer in copy.layers)
    assert_same(model, copy)


def test_half_precision_is_close_enough() -> None:
    dense = layers.Dense(8, activation="tanh", dtype="mixed_float16")
    model = model_of(dense, layers.Dense(3, dtype="mixed_float16"))
    assert rebuilt(model).layers[1].compute_dtype == "float32"


def test_a_tf_keras_model_is_copied_too() -> None:
    image = tf_keras.Input((6, 6, 2), name="image")
    inner = tf_keras.Sequential([tf_keras.layers.Conv2D(3, 2), tf_keras.layers.ReLU()])
    x = tf_keras.layers.BatchNormalization()(inner(image))
    x = tf.nn.relu(x[:, 1:])  # operations become layers
    model = tf_keras.Model(image, tf_keras.layers.GRU(2)(tf_keras.layers.Reshape((4, 15))(x)))
    copy = rebuilt(model)
    assert_same(model, copy)
    assert not {id(layer) for layer in copy.layers} & {id(layer) for layer in model.layers}


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 2


@keras.saving.register_keras_serializable("tests")
def doubled(x: Any) -> Any:
    return x * 2


@pytest.mark.parametrize(
    ("layer", "complaint"),
    [
        (Doubled(name="mine"), r"layer 'mine' \(Doubled\) cannot be rebuilt"),
        (layers.Normalization(name="n"), r"layer 'n' \(Normalization\) cannot be rebuilt"),
        (layers.Dense(2, activation=doubled, name="d"), r"layer 'd' \(Dense\) has an activation"),
        # tf-keras has another function of that name, and none of this name
        (layers.Dense(2, activation="hard_sigmoid", name="h"), r"layer 'h' .* something else"),
        (layers.Dense(2, activation="celu", name="c"), r"layer 'c' .* cannot be .*: .*celu"),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else "",
)
def test_a_layer_that_cannot_be_rebuilt_is_named(layer: Any, complaint: str) -> None:
    image = keras.Input((6, 4), name="image")
    model = keras.Model(image, layers.Dense(3)(layer(layers.Dense(4)(image))))
    with pytest.raises(ToolkitError, match=f"^{complaint}.*; use tflite-int8, which needs no"):
        rebuilt(model)


def test_a_sequence_of_any_length_cannot_be_taken_apart() -> None:
    opened = loaded(model_of(layers.LSTM(2, name="memory"), shape=(None, 4)))
    with pytest.raises(ToolkitError, match=r"layer 'memory' \(LSTM\) takes sequences of any"):
        rebuild(opened, {"image": np.zeros((4, 5, 4), np.float32)})


def test_an_operation_that_is_no_layer_is_named() -> None:
    image = keras.Input((4,), name="image")
    x = layers.Dense(4)(image)
    with pytest.raises(ToolkitError, match=r"operation 'add.*' \(Add\) is no layer and cannot be"):
        rebuilt(keras.Model(image, layers.Dense(2)(x + image)))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(x)


@pytest.mark.parametrize("kind", ["subclassed", "SavedModel"])
def test_a_model_whose_layers_are_not_known_is_refused(kind: str, tmp_path: Path) -> None:
    if kind == "subclassed":
        opened = loaded(Subclassed(), x=(None, 4))
    else:
        loaded(model_of(layers.Dense(2))).save(tmp_path / "saved", None)
        opened = load_model(ModelRequest(path=str(tmp_path / "saved")))
    with pytest.raises(ToolkitError, match="does not say how its layers are connected"):
        rebuild(opened, inputs_of(opened, 2))
