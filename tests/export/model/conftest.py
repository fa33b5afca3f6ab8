"""Tiny models of every kind; nothing here is trained."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert.interpreter import Interpreter

from export.model.load import load_model
from export.model.loaded import LoadedModel
from export.model.request import ModelRequest, Shape
from train.common.tensors import TensorSpec

HIDDEN = 300  # so many that a file without the weights is much smaller than one with them


CUSTOM = """
import keras
import tensorflow as tf
import tf_keras


class OlderScale(tf_keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(2,))

    def call(self, x):
        return x * self.factor


def double(x):
    return 2 * x


class One(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.hidden = keras.layers.Dense(4)
        self.final = keras.layers.Dense(2)

    def call(self, features):
        return self.final(self.hidden(features))


class Two(One):
    def call(self, left, right=None, training=False):
        return {"sum": self.final(self.hidden(left) + self.hidden(right)), "left": left}


class Nested(One):
    def call(self, inputs):
        return [self.final(self.hidden(inputs["u"])), self.hidden(inputs["v"][0])]


class Looked(One):
    def call(self, index):
        return self.final(self.hidden(tf.one_hot(index, 5)))


@keras.saving.register_keras_serializable("mine")
class Registered(keras.layers.Layer):
    def call(self, x):
        return x + 1


def make():
    model = One()
    model(tf.zeros((2, 3)))
    return model


def make_unbuilt():
    return One()


def make_sequential():
    return keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2, name="last")])


def make_nothing():
    return 3


def make_error():
    raise KeyError("first\\nsecond")


def make_odd():
    class Odd(keras.Model):
        def get_build_config(self):
            raise KeyError("shape")

    return Odd()


def make_exit():
    raise SystemExit("usage")


def make_older():
    class Older(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.final = tf_keras.layers.Dense(2)

        def call(self, pair, training=None):
            return self.final(pair["a"]) + pair["b"]

    model = Older()
    model({"a": tf.zeros((2, 3)), "b": tf.zeros((2, 2))}, False)  # a flag, which is no input
    return model
"""


@pytest.fixture(autouse=True)
def seeds() -> None:
    keras.utils.set_random_seed(1)
    tf_keras.utils.set_random_seed(1)


def load(path: str | Path, shapes: dict[str, Shape] | None = None, **options: Any) -> LoadedModel:
    return load_model(ModelRequest(path=str(path), shapes=shapes or {}, **options))


def shapes_of(specs: tuple[TensorSpec, ...]) -> dict[str, Shape]:
    return {spec.name: spec.shape for spec in specs}


def image_model(library: Any) -> Any:
    """A model of Keras 3 or tf-keras, (N, 8, 8, 3) → (N, 4), with batch normalization."""
    layers = library.layers
    image = library.Input((8, 8, 3), name="image")
    x = layers.DepthwiseConv2D(3)(image)
    x = layers.BatchNormalization()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(HIDDEN, activation="relu")(x)
    model = library.Model(image, layers.Dense(4, activation="softmax", name="scores")(x))
    random = np.random.RandomState(2)
    # the statistics of batch normalization too, which start as zeros and ones
    model.set_weights([random.uniform(0.1, 0.3, value.shape) for value in model.get_weights()])
    return model


def random_inputs(model: LoadedModel, count: int) -> dict[str, np.ndarray]:
    random = np.random.RandomState(3)
    inputs = {}
    for spec in model.inputs:
        values = random.uniform(0, 5, [count, *(size or 1 for size in spec.shape[1:])])
        inputs[spec.name] = values.astype(int if spec.dtype.startswith("int") else np.float32)
    return inputs


def converted(model: LoadedModel, folder: Path) -> bytes:
    """Returns the model as a TFLite file of batch 1."""
    model.save(folder, batch=1)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    content: bytes = converter.convert()
    return content


def assert_converts(model: LoadedModel, folder: Path) -> bytes:
    """Asserts that the TFLite file of a model gives the model's outputs, by their names."""
    content = converted(model, folder)
    interpreter = Interpreter(model_content=content)
    runner = interpreter.get_signature_runner("serving_default")
    inputs = random_inputs(model, 3)
    expected = model.predict(inputs, batch_size=2)
    dtypes = {spec.name: spec.dtype for spec in model.inputs}
    for index in range(3):
        one = {n: v[index : index + 1].astype(dtypes[n]) for n, v in inputs.items()}
        outputs = runner(**one)
        assert set(outputs) == {spec.name for spec in model.outputs} == set(expected)
        for name, value in outputs.items():
            assert value[0] == pytest.approx(expected[name][index], abs=1e-5)
    return content


@pytest.fixture(scope="module")
def custom(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A user's module, imported; it stays known to Python under its name."""
    folder = tmp_path_factory.mktemp("custom")
    (folder / "users_networks.py").write_text(CUSTOM)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import users_networks  # type: ignore[import-not-found]

        yield users_networks
