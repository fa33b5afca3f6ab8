"""Files of recurrent models: right, as small for many steps as for few, the same in any order."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.model.load import load_model
from export.model.request import ModelRequest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph.read import read_graph
from tests.export.conftest import settings_of
from tests.export.convert.tflite.recurrent.layers import decibels

pytestmark = pytest.mark.slow  # it converts with TensorFlow

STEPS, FEATURES = 60, 4
L = keras.layers
MODELS: dict[str, Callable[[], list[keras.Layer]]] = {
    "stacked": lambda: [L.LSTM(6, return_sequences=True), L.GRU(5)],
    "bidirectional": lambda: [L.Bidirectional(L.LSTM(6, return_sequences=True)), L.LSTM(5)],
    "masked": lambda: [L.Masking(), L.LSTM(6, return_sequences=True), L.GRU(5)],
}
WAYS = {"stacked": {"LSTM", "WHILE"}, "bidirectional": {"LSTM"}, "masked": {"WHILE"}}
LEAST = {
    "tflite-float32": 100,
    "tflite-float16": 45,
    "tflite-dynamic": 25,
    "tflite-int8": 25,
    "tflite-int16x8": 25,
}


def sequences(count: int, seed: int, *, padded: bool) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.normal(size=(count, STEPS, FEATURES)).astype(np.float32)
    if padded:
        for example in found:
            example[random.integers(10, STEPS + 1) :] = 0
    return found


@pytest.fixture(scope="module", params=MODELS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, keras.Model, SourceModel]:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    keras.utils.set_random_seed(1)
    x = keras.Input((STEPS, FEATURES), name="x")
    y = x
    for layer in MODELS[name]():
        y = layer(y)
    model = keras.Model(x, L.Dense(3, name="head")(y))
    model.save(folder / "model.keras")
    inputs = {"x": sequences(400, 1, padded=name == "masked")}
    loaded = SourceModel(
        load_model(ModelRequest(path=str(folder / "model.keras"))),
        representative=RepresentativeDataset(inputs=inputs, sha256="", examples=()),
        training=None,
        folder=folder,
    )
    return name, model, loaded


@pytest.mark.parametrize("format_name", LEAST)
def test_every_format_is_right_and_remembers_nothing(
    format_name: str, source: tuple[str, keras.Model, SourceModel], tmp_path: Path
) -> None:
    name, model, loaded = source
    if (format_name, name) == ("tflite-int16x8", "masked"):
        pytest.skip("the quantizer to 16 bits has no comparisons, which find masks")
    entry = FORMATS[format_name]
    settings = settings_of(entry, ExportOptions())
    method = "min-max" if entry.calibrated else None
    path = tmp_path / "file.tflite"
    path.write_bytes(convert(entry, settings, method, loaded))
    x = sequences(40, 2, padded=name == "masked")
    with open_runner("litert", path, threads=1) as runner:
        outputs = predict(runner, {"x": x})["head"]
        again = predict(runner, {"x": x[::-1]})["head"][::-1]
    assert decibels(outputs, model.predict(x, verbose=0)) > LEAST[format_name]
    assert np.array_equal(outputs, again)
    graph = read_graph(path)
    found = {"LSTM" if "LSTM" in each else each for each in graph.operators}
    assert (WAYS[name] if format_name != "tflite-int16x8" else {"WHILE"}) <= found
    assert len(graph.operators) < 100  # of 60 steps written out there are more than a thousand
    assert path.stat().st_size < 4 * model.count_params() + 25_000
    if entry.calibrated:
        assert not graph.float_operators
        assert graph.operators.count("CAST") <= 1  # a mask is turned into numbers once
