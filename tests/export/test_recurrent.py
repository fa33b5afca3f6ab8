"""Recurrent layers in integers: written out step by step, because loops are not quantized."""

from pathlib import Path

import keras
import numpy as np
import pytest

from export.formats import FORMATS
from export.inspection import RECURRENT, inspect
from export.make import convert
from export.runners import open_runner, predict
from tests.export.conftest import load_source, settings_of

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
UNITS = 8


def exported(kind: str, name: str, method: str | None, folder: Path) -> tuple[Path, keras.Model]:
    """Converts a recurrent layer that reads an image as four rows."""
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    x = LAYERS[kind](UNITS)(keras.layers.AveragePooling1D(7)(image))
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax", name="head")(x))
    model.save(folder / "model.keras")
    source = load_source(folder / "model.keras", folder)
    entry = FORMATS[name]
    path = folder / f"{name}{entry.suffix}"
    path.write_bytes(convert(entry, settings_of(entry), method, source))
    return path, model


# without TFLite's own converter for a GRU, which leaves a SPLIT in float: that fails verification
@pytest.mark.parametrize(
    ("kind", "name", "method"),
    [
        ("lstm", "tflite-int8", "min-max"),
        *(
            (kind, name, method)
            for kind in LAYERS
            for name, method in (
                ("onnx-int8", "min-max"),
                ("onnx-dynamic", None),
                ("tflite-int8", "moving-average"),
                ("tflite-int4", "moving-average"),
            )
        ),
    ],
)
def test_the_weights_of_every_step_are_integers(
    kind: str, name: str, method: str | None, tmp_path: Path
) -> None:
    path, model = exported(kind, name, method, tmp_path)
    graph = inspect(path)
    assert not set(RECURRENT) & set(graph.operators)
    if FORMATS[name].calibrated:
        assert not graph.float_operators
    assert all(kernel.dtype == np.int8 for kernel in graph.kernels)
    images = np.random.RandomState(3).random_sample((20, 28, 28)).astype(np.float32)
    with open_runner(FORMATS[name].runtime, path, threads=1) as runner:
        outputs = predict(runner, {"image": images})["head"]
    assert np.abs(outputs - model.predict(images, verbose=0)).max() < 0.05


def test_an_lstm_of_dynamic_range_stays_one_operator(tmp_path: Path) -> None:
    path, _ = exported("lstm", "onnx-dynamic", None, tmp_path)
    assert "DynamicQuantizeLSTM" in inspect(path).operators


def test_a_float_layer_in_an_integer_file_is_seen(tmp_path: Path) -> None:
    path, _ = exported("lstm", "onnx-float32", None, tmp_path)
    assert "LSTM" in inspect(path).float_operators
