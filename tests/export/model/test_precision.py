"""Whatever a model was trained in, it computes in float32."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from export.model.keras.precision import OTHERS
from export.model.loaded import LoadedModel
from tests.export.model.conftest import assert_converts, load, random_inputs
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def halves(model: LoadedModel) -> list[str]:
    """Returns the operators of a model's graph that have to do with another precision."""
    graph = model._function.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    kinds = {tf.as_dtype(name).as_datatype_enum for name in OTHERS}
    return [n.name for n in nodes if any(value.type in kinds for value in n.attr.values())]


def network(library: Any, policy: str, dtype: str | None = None) -> Any:
    """Layers that remember their precision in different ways, the last one of its own; (N, 5)."""
    setting = keras.config if library is keras else tf_keras.mixed_precision
    choose = setting.set_dtype_policy if library is keras else setting.set_global_policy
    layers = library.layers
    choose(policy)
    try:
        row = library.Input((6, 4), name="row", dtype=dtype)
        x = layers.Rescaling(0.3, offset=0.1)(row)
        x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
        x = layers.MultiHeadAttention(2, 4)(x, x)
        inner = library.Input((6, 6))
        x = library.Model(inner, layers.BatchNormalization()(layers.Conv1D(3, 2)(inner)))(x)
        x = layers.LayerNormalization()(x * 0.7 + 0.2)
        return library.Model(row, layers.Dense(5, dtype="float32")(layers.Flatten()(x)))
    finally:
        choose("float32")


@pytest.mark.parametrize(
    ("library", "policy"),
    [
        *((keras, name) for name in ("mixed_float16", "mixed_bfloat16", "float16", "float64")),
        *((tf_keras, name) for name in ("mixed_float16", "mixed_bfloat16", "float16", "float64")),
    ],
)
def test_half_precision_is_computed_in_float32(library: Any, policy: str) -> None:
    model = network(library, policy)
    model.save("model.keras")
    loaded = load("model.keras")
    assert halves(loaded) == []
    assert [spec.dtype for spec in (*loaded.inputs, *loaded.outputs)] == ["float32", "float32"]
    assert {value.dtype.name for _, value in loaded.weights()} == {"float32"}
    inputs = random_inputs(loaded, 3)
    (found,) = loaded.predict(inputs, batch_size=2).values()
    exact = network(library, "float32")
    exact.set_weights([value.astype(np.float32) for value in model.get_weights()])
    assert found == pytest.approx(np.asarray(exact(inputs["row"])), abs=1e-5)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_an_input_of_half_precision_takes_float32(library: Any) -> None:
    network(library, "mixed_float16", dtype="float16").save("model.keras")
    loaded = load("model.keras")
    assert halves(loaded) == []
    assert loaded.inputs[0].dtype == "float32"


def test_constants_and_casts_are_widened() -> None:
    row = keras.Input((3,), name="row")
    normal = keras.layers.Normalization(dtype="mixed_float16")
    normal.adapt(np.random.RandomState(1).normal(3, 2, (50, 3)))
    half = keras.ops.cast(normal(row), "bfloat16")
    keras.Model(row, keras.layers.Dense(2)(half * 2)).save("model.keras")
    assert halves(load("model.keras")) == []


def test_a_saved_model_of_half_precision_gives_float32() -> None:
    row = keras.Input((5,), name="row")
    original = keras.Model(row, keras.layers.Dense(2, dtype="mixed_float16")(row))
    original.export("half", verbose=False)
    assert [spec.dtype for spec in load("half").outputs] == ["float32"]


def quantize(model: keras.Model, mode: str) -> None:
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize(mode)


def test_int8_weights_are_taken_as_the_numbers_that_they_stand_for() -> None:
    tokens = keras.Input((6,), name="tokens", dtype="int32")
    x = keras.layers.Embedding(20, 8)(tokens)
    x = keras.layers.EinsumDense("abc,cde->abde", output_shape=(6, 2, 4), bias_axes="e")(x)
    x = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    model = keras.Model(tokens, x)
    inputs = np.random.RandomState(1).randint(0, 20, (50, 6))
    exact = np.asarray(model(inputs))
    quantize(model, "int8")
    model.save("model.keras")
    loaded = load("model.keras")
    (found,) = loaded.predict({"tokens": inputs}, batch_size=50).values()
    quantized = np.asarray(model(inputs))
    # closer to both than these are to each other, by the noise of inputs that are quantized no more
    assert np.abs(found - quantized).max() < 0.05 * np.ptp(exact)
    assert np.abs(found - exact).mean() < np.abs(quantized - exact).mean()
    assert_converts(loaded, Path("saved"))


def test_other_quantization_by_keras_is_named() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="scores")])
    quantize(model, "int4")
    model.save("model.keras")
    with pytest.raises(ToolkitError, match=r"layer 'scores' to int4, .* before model\.quantize$"):
        load("model.keras")
