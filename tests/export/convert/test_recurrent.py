"""Recurrent layers of few steps in integers: by a loop or one operator, and written out."""

from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS, Format
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph.read import read_graph
from tests.export.conftest import load_source, settings_of
from tests.export.convert.repeated import LAYERS, save_recurrent

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[keras.Model, SourceModel]]:
    """A model of each layer, and what converters need of it."""
    found = {}
    for kind in LAYERS:
        folder = tmp_path_factory.mktemp(kind)
        path = folder / "model.keras"
        found[kind] = save_recurrent(kind, path), load_source(path, folder)
    return found


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("tflite-int8", "min-max"),
        ("tflite-int8", "percentile"),
        ("tflite-int4", "min-max"),
    ],
)
def test_the_weights_of_every_step_are_integers(
    kind: str,
    name: str,
    method: str,
    models: dict[str, tuple[keras.Model, SourceModel]],
    tmp_path: Path,
) -> None:
    model, source = models[kind]
    entry = FORMATS[name]
    ways = ("auto",) if name == "tflite-int4" else ("auto", "unrolled")
    for way in ways:
        path = tmp_path / f"{way}.tflite"
        settings = settings_of(entry, ExportOptions(recurrent=way))
        path.write_bytes(convert(entry, settings, method, source))
        _check(path, entry, model)
        assert way == "auto" or "WHILE" not in read_graph(path).operators


def _check(path: Path, entry: Format, model: keras.Model) -> None:
    graph = read_graph(path)
    assert not graph.float_operators
    assert all(kernel.dtype == np.int8 for kernel in graph.kernels)
    images = np.random.RandomState(3).random_sample((20, 28, 28)).astype(np.float32)
    with open_runner(entry.runtime, path, threads=1) as runner:
        outputs = predict(runner, {"image": images})["head"]
    assert np.abs(outputs - model.predict(images, verbose=0)).max() < 0.05
