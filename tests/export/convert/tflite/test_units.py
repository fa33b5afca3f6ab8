"""What is copied in integers beside numbers of another range."""

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from export.convert.candidates.trials import convert
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.distance import distance
from tests.conftest import synthetic
from tests.export.conftest import load_source, settings_of
from train.data.fashion_mnist import PREPROCESSING

pytestmark = pytest.mark.slow


def classes(row: keras.KerasTensor) -> keras.KerasTensor:
    bins = keras.layers.Discretization([0.1, 0.3, 0.5], output_mode="one_hot")(row[:, 3:4])
    best = keras.ops.one_hot(keras.ops.argmax(row, axis=-1), 28)
    return keras.layers.Concatenate()([best, bins])


def backwards(row: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.flip(row, axis=1)


@pytest.mark.parametrize("copied", [classes, backwards])
@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_it_is_what_it_was(
    name: str, copied: Callable[[keras.KerasTensor], keras.KerasTensor], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    row = image[:, 14]  # of pixels, which integers hold exactly
    parts = [2.5 * row - 0.7, copied(row)]
    scores = keras.layers.Dense(10, name="scores")(keras.layers.Concatenate()(parts))
    keras.Model(image, scores).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    others = {"image": PREPROCESSING.apply(synthetic(100, seed=11).images)}
    entry = FORMATS[name]
    path = tmp_path / f"model{entry.suffix}"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    with open_runner(entry.runtime, path, threads=1) as runner:
        found = predict(runner, others)["scores"]
    assert distance(found, source.predict(others)["scores"], None).centred_snr_db > 25
