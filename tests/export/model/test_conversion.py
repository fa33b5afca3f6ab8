"""What is loaded converts with its weights: TFLite's output is the model's."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras

from export.verify.graph.contents import SHAPE_ARITHMETIC
from export.verify.graph.read import read_graph
from tests.export.model.conftest import (
    HIDDEN,
    assert_converts,
    image_model,
    load,
    random_inputs,
)
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

WEIGHTS_BYTES = 4 * (6 * 6 * 3 * HIDDEN)


def test_keras_3_converts_with_its_weights(tmp_path: Path) -> None:
    image_model(keras).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert len(assert_converts(model, tmp_path / "saved")) > WEIGHTS_BYTES
    assert isinstance(model.keras_model, keras.Model)
    assert model.tf_keras_model is None


def test_tf_keras_converts_with_its_weights(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="HDF5"):
        image_model(tf_keras).save(tmp_path / "model.h5")
    model = load(tmp_path / "model.h5")
    assert len(assert_converts(model, tmp_path / "saved")) > WEIGHTS_BYTES
    assert isinstance(model.tf_keras_model, tf_keras.Model)
    assert model.keras_model is None


@pytest.mark.parametrize("writer", ["keras", "tf_keras", "toolkit"])
def test_saved_models_with_an_open_batch_convert_to_a_fixed_one(
    tmp_path: Path, writer: str
) -> None:
    folder = tmp_path / "model"
    if writer == "keras":
        original = image_model(keras)
        original.export(folder, verbose=False)
    elif writer == "tf_keras":
        original = image_model(tf_keras)
        original.save(folder)
    else:
        original = image_model(keras)
        original.save(tmp_path / "model.keras")
        load(tmp_path / "model.keras").save(folder, batch=None)
    model = load(folder)
    (spec,) = model.inputs
    assert (spec.shape, spec.dtype) == ((None, 8, 8, 3), "float32")
    inputs = random_inputs(model, 5)
    (found,) = model.predict(inputs, batch_size=2).values()
    assert found == pytest.approx(np.asarray(original(inputs[spec.name])), abs=1e-5)
    assert model.parameters == original.count_params()
    content = assert_converts(model, tmp_path / "saved")
    assert len(content) > WEIGHTS_BYTES
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert not set(SHAPE_ARITHMETIC) & set(read_graph(path).operators)


def test_saved_models_keep_a_fixed_batch(tmp_path: Path) -> None:
    image_model(keras).save(tmp_path / "model.keras")
    load(tmp_path / "model.keras").save(tmp_path / "two", batch=2)
    model = load(tmp_path / "two")
    assert model.fixed_batch == 2
    assert model.inputs[0].shape == (2, 8, 8, 3)
    inputs = random_inputs(model, 5)
    expected = load(tmp_path / "model.keras").predict(inputs, batch_size=5)
    assert model.predict(inputs, batch_size=7)["scores"] == pytest.approx(
        expected["scores"], abs=1e-6
    )
    with pytest.raises(ToolkitError, match="takes 2 examples at once, got --batch 1"):
        model.save(tmp_path / "one", batch=1)


def test_several_inputs_and_outputs_convert_by_name(tmp_path: Path) -> None:
    tokens = keras.Input((6,), name="class")  # a word that Python would not take as a name
    extra = keras.Input((2,), name="extra-size")
    x = keras.layers.Embedding(5, 4, mask_zero=True)(tokens)
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = keras.layers.Concatenate()([x, extra])
    both = [keras.layers.Dense(3, name="a")(x), keras.layers.Dense(1, name="b")(x)]
    keras.Model([tokens, extra], both).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert [spec.name for spec in model.inputs] == ["class_", "extra_size"]
    assert [spec.dtype for spec in model.inputs] == ["int32", "float32"]
    assert [spec.name for spec in model.outputs] == ["a", "b"]
    assert_converts(model, tmp_path / "saved")


def test_predict_wants_every_input(tmp_path: Path) -> None:
    image_model(keras).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    with pytest.raises(ToolkitError, match=r"got data for picture, expected .*: image"):
        model.predict({"picture": np.zeros((1, 8, 8, 3))}, batch_size=1)
    with pytest.raises(ToolkitError, match="fails on its inputs"):
        model.predict({"image": np.zeros((1, 9, 8, 3))}, batch_size=1)


def test_places_of_extremes_convert(tmp_path: Path) -> None:
    """Keras compares the bits of -0.0, by an operator that TFLite lacks."""
    row = keras.Input((5,), name="row")
    scores = keras.layers.Dense(4)(row)
    outputs = {
        "first": keras.ops.argmax(scores, axis=-1),
        "last": keras.ops.argmin(scores, axis=1, keepdims=True),
        "best": keras.ops.top_k(scores, k=2)[1],
        "hottest": keras.ops.one_hot(keras.ops.argmax(scores, axis=-1), 4),
    }
    keras.Model(row, outputs).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert [(s.name, s.shape, s.dtype) for s in model.outputs] == [
        ("best", (None, 2), "int32"),
        ("first", (None,), "int32"),
        ("hottest", (None, 4), "float32"),
        ("last", (None, 1), "int32"),
    ]
    inputs = random_inputs(model, 4)
    found = model.predict(inputs, batch_size=4)
    expected = model.keras_model(inputs["row"])  # type: ignore[misc]
    assert all(np.array_equal(found[name], value) for name, value in expected.items())
    assert_converts(model, tmp_path / "saved")


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_recurrent_layers_of_tf_keras_remember_no_earlier_example(
    layer: str, tmp_path: Path
) -> None:
    rows = tf_keras.Input((5, 4), name="rows")
    both = tf_keras.layers.Bidirectional(getattr(tf_keras.layers, layer)(3))(rows)
    tf_keras.Model(rows, tf_keras.layers.Dense(2)(both)).save(tmp_path / "model.keras")
    assert_converts(load(tmp_path / "model.keras"), tmp_path / "saved")
