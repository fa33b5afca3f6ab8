"""Recurrent layers in integers: written out step by step, because loops are not quantized."""

from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.make import convert
from export.formats import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph import RECURRENT, read_graph
from tests.conftest import run_module
from tests.export.conftest import load_source, settings_of

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
UNITS = 8


def saved(kind: str, path: Path) -> keras.Model:
    """Saves a recurrent layer that reads an image as four rows."""
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    x = LAYERS[kind](UNITS)(keras.layers.AveragePooling1D(7)(image))
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax", name="head")(x))
    model.save(path)
    return model


def exported(kind: str, name: str, method: str | None, folder: Path) -> tuple[Path, keras.Model]:
    model = saved(kind, folder / "model.keras")
    source = load_source(folder / "model.keras", folder)
    entry = FORMATS[name]
    path = folder / f"{name}{entry.suffix}"
    path.write_bytes(convert(entry, settings_of(entry), method, source))
    return path, model


@pytest.mark.parametrize(
    ("kind", "name", "method"),
    [
        (kind, name, method)
        for kind in LAYERS
        for name, method in (
            ("onnx-int8", "min-max"),
            ("onnx-dynamic", None),
            ("tflite-int8", "min-max"),
            ("tflite-int8", "moving-average"),
            ("tflite-int4", "moving-average"),
        )
    ],
)
def test_the_weights_of_every_step_are_integers(
    kind: str, name: str, method: str | None, tmp_path: Path
) -> None:
    path, model = exported(kind, name, method, tmp_path)
    graph = read_graph(path)
    assert not set(RECURRENT) & set(graph.operators)
    if FORMATS[name].calibrated:
        assert not graph.float_operators
    assert all(kernel.dtype == np.int8 for kernel in graph.kernels)
    images = np.random.RandomState(3).random_sample((20, 28, 28)).astype(np.float32)
    with open_runner(FORMATS[name].runtime, path, threads=1) as runner:
        outputs = predict(runner, {"image": images})["head"]
    assert np.abs(outputs - model.predict(images, verbose=0)).max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS)
def test_other_processes_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    """Addresses differ in each, and TFLite's converter goes by them where it may."""
    saved(kind, tmp_path / "model.keras")
    images = np.random.RandomState(3).random_sample((60, 28, 28)).astype(np.float32)
    np.savez(tmp_path / "calibration.npz", image=images)
    own = ("--model", tmp_path / "model.keras", "--calibration", tmp_path / "calibration.npz")
    how = ("--format", "tflite-int8", "--calibration-method", "min-max")
    for number in range(3):
        done = run_module("export", *own, *how, "--artifacts", tmp_path / str(number))
        assert done.code == 0, done
    files = {(tmp_path / str(n) / "tflite-int8.tflite").read_bytes() for n in range(3)}
    assert len(files) == 1


def test_an_lstm_of_dynamic_range_stays_one_operator(tmp_path: Path) -> None:
    path, _ = exported("lstm", "onnx-dynamic", None, tmp_path)
    assert "DynamicQuantizeLSTM" in read_graph(path).operators


def test_a_float_layer_in_an_integer_file_is_seen(tmp_path: Path) -> None:
    path, _ = exported("lstm", "onnx-float32", None, tmp_path)
    assert "LSTM" in read_graph(path).float_operators
