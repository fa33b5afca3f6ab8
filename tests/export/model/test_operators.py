"""Layers that look numbers up, traced for files that hold no tables."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.model.keras.call import operators_of
from export.model.keras.operators import plain_operators
from export.model.loaded import traced
from tests.export.model.conftest import load

pytestmark = pytest.mark.slow

KNOWN = [12, 7, 42]
GIVEN = np.asarray([[1, 2, 3], [7, -1, 12], [42, 0, 12]], np.int32)
LOOKUPS: list[dict[str, Any]] = [
    {"vocabulary": KNOWN},
    {"vocabulary": KNOWN, "num_oov_indices": 3},
    {"vocabulary": KNOWN, "mask_token": 0},
    {"vocabulary": KNOWN, "mask_token": 0, "num_oov_indices": 2},
    {"vocabulary": KNOWN, "output_mode": "multi_hot"},
    {"vocabulary": KNOWN, "output_mode": "tf_idf", "idf_weights": [0.1, 0.2, 0.3]},
    {"vocabulary": [1, 2, 3, 7, -1, 12, 42, 0], "num_oov_indices": 0},
]


@pytest.mark.parametrize("options", LOOKUPS)
def test_numbers_are_looked_up_by_comparing(options: dict[str, Any], tmp_path: Path) -> None:
    rows = keras.Input((3,), name="rows", dtype="int32")
    layer = keras.layers.IntegerLookup(**options)
    keras.Model(rows, layer(rows)).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert model.resources == ()
    assert not any("Table" in name for name in operators_of(traced(model.call, model.inputs, None)))
    (found,) = model.predict({"rows": GIVEN}, batch_size=3).values()
    np.testing.assert_array_equal(found, np.asarray(layer(GIVEN)))


def test_places_of_numbers_are_looked_up_too() -> None:
    layer = keras.layers.IntegerLookup(vocabulary=KNOWN, invert=True)
    places = np.asarray([[0, 1, 2], [3, 1, 9]])
    wanted = np.asarray(layer(places))
    with plain_operators():
        np.testing.assert_array_equal(np.asarray(layer(places)), wanted)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (np.asarray([[-2, 0, 0.5, 1, 7, np.inf]], np.float32), [-1.0, 0.0, 1.0]),
        (np.asarray([[-2, 0, 1, 7, 3]], np.int32), [-1.5, 0.0, 1.0, 3.2]),
    ],
)
def test_a_number_is_in_the_bin_that_keras_puts_it_in(
    values: np.ndarray, bounds: list[float]
) -> None:
    layer = keras.layers.Discretization(bounds)
    wanted = np.asarray(layer(values))
    with plain_operators():
        np.testing.assert_array_equal(np.asarray(layer(values)), wanted)


def test_words_keep_their_table(tmp_path: Path) -> None:
    words = keras.Input((2,), name="words", dtype="string")
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"])
    keras.Model(words, lookup(words)).save(tmp_path / "model.keras")
    assert len(load(tmp_path / "model.keras").resources) == 1


def test_what_is_computed_is_no_bias_in_a_batch_of_one(tmp_path: Path) -> None:
    square = keras.Input((5, 5), name="square")
    mean = keras.ops.mean(square, axis=-1, keepdims=True)
    keras.Model(square, square + mean).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    value = np.arange(25, dtype=np.float32).reshape(1, 5, 5) ** 2
    (found,) = traced(model.call, model.inputs, 1)(square=tf.constant(value)).values()
    np.testing.assert_allclose(found, value + value.mean(axis=-1, keepdims=True), rtol=1e-6)


def test_only_a_layers_variable_is_a_bias(tmp_path: Path) -> None:
    signal = keras.Input((100, 1), name="signal")
    total = keras.layers.Add()([signal, 2 * signal])
    keras.Model(signal, keras.layers.Conv1D(4, 1)(total)).save(tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    nodes = traced(model.call, model.inputs, 1).graph.get_operations()
    assert [node.outputs[0].shape[-1] for node in nodes if node.type == "BiasAdd"] == [4]
