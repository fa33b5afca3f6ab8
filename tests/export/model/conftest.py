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

HIDDEN = 300  # so many that a file without the weights is much smaller than one with them


@pytest.fixture(autouse=True)
def seeds() -> None:
    keras.utils.set_random_seed(1)
    tf_keras.utils.set_random_seed(1)


def load(path: str | Path, shapes: dict[str, Shape] | None = None, **options: Any) -> LoadedModel:
    return load_model(ModelRequest(path=str(path), shapes=shapes or {}, **options))


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
