"""Weights of `.tflite` files, rounded by what their layers read."""

from pathlib import Path

import keras
import pytest

from export.convert.candidates.trials import convert
from export.formats.calibration import ROUNDED
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.distance import distance
from tests.conftest import synthetic
from tests.export.conftest import load_source, settings_of
from train.data.fashion_mnist import PREPROCESSING

FILES = {"tflite-int8": 0.3, "tflite-int4": 3.0, "tflite-int16x8": 0.5}  # decibels gained, at least


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
