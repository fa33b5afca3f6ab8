"""Channels of one size: an outlier costs nothing, and the function stays what it was."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.calibrate.calibration import RepresentativeDataset, tflite_values
from export.convert.make import make
from export.convert.tflite.calibrate.equalize import equalized
from export.convert.tflite.converter import float_twin
from export.formats.calibration import EQUALIZED
from export.formats.table import FORMATS
from tests.conftest import synthetic
from tests.export.conftest import load_source, settings_of, unlabelled
from tests.export.convert.mixed.models import case_of, outlier
from train.common.errors import ToolkitError
from train.data.fashion_mnist import INPUT_NAME, PREPROCESSING

pytestmark = pytest.mark.slow
ENTRY = FORMATS["tflite-int8"]
METHODS = ("min-max", "mse", EQUALIZED)


def outputs_of(model: bytes, inputs: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.concatenate([values[name] for values in tflite_values(model, inputs)])


@pytest.mark.parametrize("family", ["tflite", "onnx"])
def test_an_outlier_that_ruins_int8_costs_nothing(family: str, tmp_path: Path) -> None:
    case, entry = case_of(outlier, tmp_path), FORMATS[f"{family}-int8"]
    settings = replace(settings_of(entry), calibration_methods=METHODS)
    only = replace(settings, calibration_methods=METHODS[:1])
    with pytest.raises(ToolkitError, match="was not written"):
        make(entry, only, case.source, case.expected, tmp_path)
    made = make(entry, settings, case.source, case.expected, tmp_path)
    assert made.calibration is not None
    assert made.calibration.method == EQUALIZED
    assert made.layers is not None
    assert made.layers.outcome.snr_db > 25
    mixed = FORMATS[f"{family}-int8-mixed"]
    settings = replace(settings_of(mixed), calibration_methods=METHODS)
    found = make(mixed, settings, case.source, case.expected, tmp_path)
    assert found.mixture is not None
    assert found.mixture.operators == ()  # nothing has to be left in float


def unlike(first: keras.layers.Layer, second: keras.layers.Layer) -> None:
    """Makes channels of a layer as unlike as 1 to 64, and the next one's weights the other way."""
    factors = 2.0 ** -np.arange(first.get_weights()[-1].size)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * factors, bias * factors])
    after, *rest = second.get_weights()
    along = factors.reshape(-1, 1) if after.shape[-2] == factors.size else factors
    second.set_weights([after / along, *rest])


def unlike_channels(limit: float | None, second: str, path: Path) -> None:
    """Writes a model whose channels are as unlike as 1 to 64 between two convolutions."""
    keras.utils.set_random_seed(3)
    image = keras.Input((28, 28), name="image")
    first = keras.layers.Conv2D(7, 3, strides=2, bias_initializer="ones")
    x = keras.layers.ReLU(limit)(first(keras.layers.Reshape((28, 28, 1))(image)))
    x = keras.layers.MaxPooling2D(2)(x)
    reader = keras.layers.DepthwiseConv2D(3) if second == "depthwise" else keras.layers.Conv2D(5, 3)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(keras.layers.ReLU()(reader(x)))
    model = keras.Model(image, x)
    unlike(first, reader)
    model.save(path)


@pytest.mark.parametrize("limit", [None, 6.0])
@pytest.mark.parametrize("second", ["depthwise", "convolution"])
def test_it_is_the_same_function(limit: float | None, second: str, tmp_path: Path) -> None:
    unlike_channels(limit, second, tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    twin = float_twin(source, ENTRY, settings_of(ENTRY))
    inputs = dict(source.representative.inputs)
    other = equalized(twin, inputs)
    assert other != twin
    before, after = (outputs_of(each, inputs, "mean") for each in (twin, other))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def parts_of_unlike_sizes(path: Path, activation: str | None) -> None:
    """Writes a model that concatenates two branches, one 300 times as large as the other."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    x = layers.MaxPooling2D(4)(layers.Reshape((28, 28, 1))(image))
    large = layers.Conv2D(4, 1, activation=activation)
    small = layers.Conv2D(6, 3, padding="same", activation=activation)
    reader = layers.Conv2D(8, 3, activation="relu")
    joined = layers.Concatenate()([large(x), small(x)])
    values = layers.Dense(3, name="values")(layers.Flatten()(reader(joined)))
    model = keras.Model(image, values)
    kernel, bias = large.get_weights()
    large.set_weights([kernel * 300, bias * 300])
    after, other = reader.get_weights()
    after[:, :, :4] /= 300
    reader.set_weights([after, other])
    model.save(path)


@pytest.mark.parametrize("family", ["tflite", "onnx"])
def test_the_parts_of_a_concatenation_are_brought_to_one_size(family: str, tmp_path: Path) -> None:
    activation = "relu" if family == "tflite" else None
    parts_of_unlike_sizes(tmp_path / "model.keras", activation)
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS[f"{family}-int8"]
    inputs = {INPUT_NAME: PREPROCESSING.apply(synthetic(200, seed=3).images)}
    settings = replace(settings_of(entry), calibration_methods=METHODS)
    made = make(entry, settings, source, unlabelled(source, inputs), tmp_path)
    assert made.calibration is not None
    assert made.calibration.method == EQUALIZED
    scores = made.calibration.candidates
    assert scores[EQUALIZED] > scores["min-max"] + 20


def test_layers_of_like_channels_are_left_alone(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Dense(8, activation="tanh")(keras.layers.Flatten()(image))
    keras.Model(image, keras.layers.Dense(4, name="head")(x)).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    assert isinstance(source.representative, RepresentativeDataset)
    with pytest.raises(ValueError, match="no two layers"):
        equalized(float_twin(source, ENTRY, settings_of(ENTRY)), source.representative.inputs)
