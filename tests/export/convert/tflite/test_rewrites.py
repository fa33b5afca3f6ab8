"""Negations, of which TFLite has none in integers."""

from pathlib import Path

import keras
import pytest

from export.convert.candidates import convert
from export.formats import FORMATS
from export.verify.graph.read import read_graph
from tests.export.conftest import load_source, settings_of

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.mark.parametrize("negation", [True, False])
def test_one_in_a_gelu_stays_and_any_other_becomes_a_product(
    negation: bool, tmp_path: Path
) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Flatten()(image)
    x = keras.ops.negative(x) if negation else keras.layers.Dense(8, activation="gelu")(x)
    keras.Model(image, keras.layers.Dense(10, name="scores")(x)).save(tmp_path / "model.keras")
    entry, source = FORMATS["tflite-int8"], load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    graph = read_graph(path)
    assert ("MUL" in graph.operators, "GELU" in graph.operators) == (negation, not negation)
    assert not graph.float_operators
