"""Outputs as float64 has them, and how far from them a model's own rounding takes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from export.model.double import predict_double
from export.model.rounding import rounded_otherwise
from tests.export.model.conftest import load, random_inputs

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def snr_db(values: np.ndarray, reference: np.ndarray) -> float:
    noise = np.sum((values.astype(np.float64) - reference) ** 2)
    return float(10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / noise))


def recurrent(library: Any) -> list[Any]:
    return [library.layers.LSTM(4, return_sequences=True), library.layers.GRU(4)]


def convolutional(library: Any) -> list[Any]:
    """Batch normalization of tf-keras has no kernel for float64, nor has what resizes."""
    layers = library.layers
    return [
        layers.Reshape((4, 4, 3)),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.UpSampling2D(interpolation="bilinear"),
        layers.Flatten(),
    ]


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("inner", [recurrent, convolutional])
def test_a_model_is_computed_in_float64(library: Any, inner: Callable[[Any], list[Any]]) -> None:
    library.Sequential([library.Input((8, 6), name="x"), *inner(library)]).save("model.keras")
    model = load("model.keras")
    inputs = random_inputs(model, 5)
    (exact,) = (predict_double(model, inputs, 2) or {}).values()
    (outputs,) = model.predict(inputs, 2).values()
    assert exact.dtype == np.float64
    assert not np.array_equal(exact, outputs)
    assert snr_db(outputs, exact) > 120


def test_a_model_that_subtracts_large_numbers_is_far_from_itself() -> None:
    """Its inputs' last digits do not tell: they are lost where 100,000 is added."""
    row = keras.Input((16,), name="row")
    scaled = keras.layers.Rescaling(1.0, 1e5)(keras.layers.Dense(16)(row))
    keras.Model(row, keras.layers.LayerNormalization()(scaled)).save("model.keras")
    model = load("model.keras")
    inputs = random_inputs(model, 30)
    outputs = model.predict(inputs, 30)
    (reference,) = outputs.values()
    moved, exact = rounded_otherwise(model, inputs, outputs, 30)
    ratios = [snr_db(next(iter(each.values())), reference) for each in (moved, exact)]
    assert ratios[0] > 120
    assert 10 < ratios[1] < 80


def test_the_last_digit_of_an_output_counts() -> None:
    row = keras.Input((4,), name="row")
    keras.Model(row, keras.layers.Rescaling(0.0, 101_325.0)(row)).save("model.keras")
    model = load("model.keras")
    inputs = random_inputs(model, 3)
    outputs = model.predict(inputs, 3)
    (values,) = next(iter(rounded_otherwise(model, inputs, outputs, 3))).values()
    assert set((values - 101_325.0).ravel()) == {2**-7}
