"""What rounded weights add to outputs on average is taken back by the biases."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.calibrate.bias import corrections
from export.convert.candidates.trials import convert
from export.convert.onnx.overflow import overflows_here
from export.formats.calibration import BIAS_CORRECTED
from export.formats.settings import SAFE_WEIGHTS, SIGNED_WEIGHTS
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.conftest import load_source, settings_of


def test_what_is_added_is_the_rounding_times_the_mean() -> None:
    weights = np.asarray([[[0.9, 2.0]], [[-1.2, 3.0]]])
    rounded = np.asarray([[[1.0, 2.0]], [[-1.0, 3.0]]])
    found = corrections(rounded, weights, np.asarray([2.0, 7.0]))
    assert found is not None
    np.testing.assert_allclose(found, [0.2, 0.4])
    assert corrections(-rounded, weights, np.ones(2)) is None  # other weights


def layered(path: Path) -> None:
    """Writes a model of every kind of layer with a bias, whose weights all round upwards."""
    keras.utils.set_random_seed(2)
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    x = layers.MaxPooling2D(4)(layers.Reshape((28, 28, 1))(image))
    x = layers.Conv2D(6, 3, activation="relu")(x)
    x = layers.DepthwiseConv2D(2, activation="relu")(x)
    x = layers.Dense(3, name="values")(layers.Flatten()(x))
    model = keras.Model(image, x)
    for layer in model.layers:
        if layer.get_weights():
            kernel, bias = layer.get_weights()
            steps = np.random.RandomState(1).randint(1, 6, kernel.shape) + 0.6
            # of 4 and of 8 bits: the largest of each channel is 7 steps
            largest = np.zeros(kernel.shape, bool)
            largest[0, 0] = True
            layer.set_weights([np.where(largest, 7.0, steps) / 70, bias + 0.1])
    model.save(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tflite-int8", "tflite-int4", "onnx-int8"])
def test_means_of_outputs_are_nearer_to_those_of_the_model(name: str, tmp_path: Path) -> None:
    layered(tmp_path / "model.keras")
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS[name]
    inputs = dict(source.representative.inputs)
    wanted = source.predict(inputs)["values"].mean(axis=0)
    settings = settings_of(entry)
    if settings.weight_schemes:
        schemes = SAFE_WEIGHTS if overflows_here() else SIGNED_WEIGHTS
        settings = replace(settings, weight_schemes=schemes[:1])
    away = {}
    for method in ("min-max", BIAS_CORRECTED):
        path = tmp_path / f"{method}{entry.suffix}"
        path.write_bytes(convert(entry, settings, method, source))
        with open_runner(entry.runtime, path, threads=1) as runner:
            made = predict(runner, inputs)["values"].mean(axis=0)
        away[method] = np.abs(made - wanted).max()
    assert away[BIAS_CORRECTED] < 0.5 * away["min-max"]
