"""Recurrent layers of few steps in integers: written out step by step."""

from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.source import SourceModel
from export.formats import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph.read import read_graph
from tests.export.conftest import load_source
from tests.export.convert.repeated import LAYERS, converted, save_recurrent

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
    path = converted(source, name, method, tmp_path)
    graph = read_graph(path)
    if name != "tflite-int4":  # whose recurrent layers are never written out
        assert "WHILE" not in graph.operators
    assert not graph.float_operators
    assert all(kernel.dtype == np.int8 for kernel in graph.kernels)
    images = np.random.RandomState(3).random_sample((20, 28, 28)).astype(np.float32)
    with open_runner(FORMATS[name].runtime, path, threads=1) as runner:
        outputs = predict(runner, {"image": images})["head"]
    assert np.abs(outputs - model.predict(images, verbose=0)).max() < 0.05
