"""Conversions that have to give the same bytes in every process.

As a module it makes them: `python -m tests.export.convert.repeated MODELS FOLDER NAME…`.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import keras

from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.formats.table import FORMATS
from tests.export.conftest import load_source, settings_of, shared_options

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
UNITS = 8
# What converters have most freedom with; `test_end_to_end.py` has one of each on a plain network.
CONVERSIONS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "lstm": (("tflite-int8", "min-max"),),
    "gru": (("tflite-int8", "min-max"), ("onnx-float32", None)),  # a loop, of names like any other
    "convolutional": (("onnx-float32", None),),  # whose rewrites tf2onnx made in any order
}


def save_recurrent(kind: str, path: Path) -> keras.Model:
    """Saves a recurrent layer that reads an image as four rows."""
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    x = LAYERS[kind](UNITS)(keras.layers.AveragePooling1D(7)(image))
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax", name="head")(x))
    model.save(path)
    return model


def save_convolutional(path: Path) -> None:
    """Saves convolutions whose normalizations are folded, and a Flatten to a computed shape."""
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Reshape((28, 28, 1))(image)
    for channels in (4, 6):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dense(10, name="head")(keras.layers.Flatten()(x))
    keras.Model(image, x).save(path)


def converted(source: SourceModel, name: str, method: str | None, folder: Path) -> Path:
    entry = FORMATS[name]
    path = folder / f"{name}-{method}{entry.suffix}"
    path.write_bytes(convert(entry, settings_of(entry, shared_options(name)), method, source))
    return path


def convert_all(models: Path, folder: Path, names: Iterable[str]) -> None:
    for model in names:
        made = folder / model
        made.mkdir(parents=True)
        source = load_source(models / f"{model}.keras", made)
        for name, method in CONVERSIONS[model]:
            converted(source, name, method, made)


if __name__ == "__main__":
    convert_all(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
