"""Sequential and functional models, and what they take and return."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from export.model.signature import open_dimensions
from tests.export.model.conftest import assert_converts, load, random_inputs, shapes_of
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_sequential_models_load(library: Any) -> None:
    layers = [library.layers.Dense(3), library.layers.Dense(2, name="last")]
    library.Sequential([library.Input((5,), name="row"), *layers]).save("model.keras")
    model = load("model.keras")
    assert shapes_of(model.inputs) == {"row": (None, 5)}
    assert shapes_of(model.outputs) == {"last": (None, 2)}
    assert model.parameters == 5 * 3 + 3 + 3 * 2 + 2
    assert {value.size for _, value in model.weights()} == {15, 3, 6, 2}


def test_the_batch_of_a_first_call_does_not_bind() -> None:
    built = keras.Sequential([keras.layers.Dense(3)])
    built(np.ones((7, 2), np.float32))
    built.save("model.keras")
    model = load("model.keras")
    assert model.fixed_batch is None
    assert model.inputs[0].shape == (None, 2)
    assert_converts(model, Path("saved"))


def test_unpacked_archives_load() -> None:
    row = keras.Input((5,), name="row")
    original = keras.Model(row, keras.layers.Dense(2)(row))
    keras.saving.save_model(original, "folder", zipped=False)
    model = load("folder")
    assert [value.tolist() for _, value in model.weights()] == [
        value.tolist() for value in original.get_weights()
    ]


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("sequential", [True, False])
def test_token_numbers_are_integers(library: Any, sequential: bool) -> None:
    """Without a cast to float32 and back."""
    tokens = library.Input((6,), name="tokens")
    pooling = library.layers.GlobalAveragePooling1D()
    layers = [library.layers.Embedding(5, 4, mask_zero=True), pooling]
    if sequential:
        library.Sequential([tokens, *layers]).save("model.keras")
    else:
        library.Model(tokens, layers[1](layers[0](tokens))).save("model.keras")
    model = load("model.keras")
    assert [(s.name, s.dtype) for s in model.inputs] == [("tokens", "int32")]
    inputs = random_inputs(model, 3)
    original = library.models.load_model("model.keras")
    (found,) = model.predict(inputs, batch_size=2).values()
    assert found == pytest.approx(np.asarray(original(inputs["tokens"])), abs=1e-6)
    casts = [op for op in model._function.graph.get_operations() if op.type == "Cast"]
    assert [op.name for op in casts if op.inputs[0].dtype.is_integer] == []


def test_an_input_that_is_also_a_number_stays_one() -> None:
    tokens = keras.Input((6,), name="tokens")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(5, 4)(tokens))
    both = keras.layers.Concatenate()([embedded, tokens])
    keras.Model(tokens, keras.layers.Dense(1)(both)).save("model.keras")
    assert load("model.keras").inputs[0].dtype == "float32"


def test_structures_are_named_by_their_keys() -> None:
    inputs = {"b": keras.Input((2,), name="b"), "a": keras.Input((3,), name="a")}
    outputs = {"sum": keras.layers.Dense(2)(inputs["a"]) + inputs["b"], "a": inputs["a"] * 2}
    keras.Model(inputs, outputs).save("model.keras")
    model = load("model.keras")
    assert shapes_of(model.inputs) == {"a": (None, 3), "b": (None, 2)}
    assert shapes_of(model.outputs) == {"a_1": (None, 3), "sum": (None, 2)}
    found = model.predict({"a": np.ones((4, 3)), "b": np.ones((4, 2))}, batch_size=3)
    assert found["a_1"].tolist() == [[2.0] * 3] * 4
    assert_converts(model, Path("saved"))


def test_what_changes_variables_when_it_is_called_is_refused() -> None:
    module = tf.Module()
    module.count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="row")])
    def serve(row: tf.Tensor) -> dict[str, tf.Tensor]:
        module.count.assign_add(1.0)
        return {"sum": row + module.count}

    tf.saved_model.save(module, "counting", signatures=serve)
    with pytest.raises(ToolkitError, match=r"counting changes .*AssignAddVariableOp"):
        load("counting")


def test_open_sizes_are_told_and_fixed() -> None:
    image = keras.Input((None, None, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image))
    keras.Model(image, pooled).save("model.keras")
    assert open_dimensions(load("model.keras").inputs) == (
        "input 'image' is (?, ?, ?, 3); fix it with --shape image=1,224,224,3"
    )
    model = load("model.keras", {"image": (1, 8, 8, 3)})
    assert model.inputs[0].shape == (None, 8, 8, 3)
    assert open_dimensions(model.inputs) is None
    assert_converts(model, Path("saved"))
    with pytest.raises(ToolkitError, match="expected only open sizes to differ"):
        load("model.keras", {"image": (1, 8, 8, 1)})
    model.keras_model.export("open", verbose=False)  # type: ignore[union-attr]
    assert load("open", {"image": (1, 8, 8, 3)}).inputs[0].shape == (None, 8, 8, 3)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_saved_model_keeps_the_order_of_its_model(library: Any) -> None:
    """Its signature has none: Keras 3 numbers its outputs, 10 before 2."""
    left, above = library.Input((2,), name="left"), library.Input((3,), name="above")
    both = library.layers.Concatenate()([left, above])
    sizes = range(1, 13)
    outputs = [library.layers.Dense(size, name=f"n{99 - size}")(both) for size in sizes]
    original = library.Model([left, above], outputs)
    original.export("model", verbose=False) if library is keras else original.save("model")
    model = load("model")
    assert [spec.name for spec in model.inputs] == ["left", "above"]
    assert [spec.shape[-1] for spec in model.outputs] == [*sizes]
