"""Weights of `.tflite` files, rounded by what their layers read."""

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.convert.candidates.trials import convert
from export.convert.tflite.calibrate.rounding import POSITIONS, patches
from export.formats.calibration import ROUNDED
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.distance import distance
from tests.conftest import synthetic
from tests.export.conftest import load_source, settings_of
from train.data.fashion_mnist import PREPROCESSING

FILES = {"tflite-int8": 0.3, "tflite-int4": 3.0, "tflite-int16x8": 0.5}  # decibels gained, at least


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_patches_are_what_a_kernel_lies_on(padding: str, strides: int, dilation: int) -> None:
    given = np.random.RandomState(0).random_sample((1, 9, 8, 3)).astype(np.float32)
    layer = keras.layers.Conv2D(
        4, (3, 2), strides, padding, dilation_rate=dilation, use_bias=False, activation=None
    )
    wanted = np.asarray(layer(given))[0].reshape(-1, 4)
    options = SimpleNamespace(
        **dict.fromkeys(("dilationHFactor", "dilationWFactor"), dilation),
        **dict.fromkeys(("strideH", "strideW"), strides),
        padding=getattr(schema.Padding, padding.upper()),
    )
    found = patches(given, options, (3, 2), np.random.RandomState(0))
    made = found.reshape(len(found), -1) @ layer.get_weights()[0].reshape(-1, 4)
    assert len(found) == min(len(wanted), POSITIONS)
    # some positions, in any order
    apart = np.abs(made[:, np.newaxis] - wanted).max(axis=-1).min(axis=1)
    np.testing.assert_allclose(apart, 0, atol=1e-5)


@pytest.mark.slow
def test_outputs_on_other_examples_are_nearer_to_the_model(tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    x = layers.AveragePooling2D(2)(layers.Reshape((28, 28, 1))(image))
    x = layers.Conv2D(12, 3, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Conv2D(24, 3, strides=2, activation="relu")(x)
    x = layers.Dense(4, name="values")(layers.Dense(48, "relu")(layers.Flatten()(x)))
    keras.Model(image, x).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    others = {"image": PREPROCESSING.apply(synthetic(100, seed=11).images)}
    wanted = source.predict(others)["values"]
    for name, gain in FILES.items():
        entry, found = FORMATS[name], {}
        for method in ("min-max", ROUNDED):
            path = tmp_path / f"{method}.tflite"
            path.write_bytes(convert(entry, settings_of(entry), method, source))
            with open_runner(entry.runtime, path, threads=1) as runner:
                made = predict(runner, others)["values"]
            found[method] = distance(made, wanted, None).centred_snr_db
        assert found[ROUNDED] > found["min-max"] + gain, name
