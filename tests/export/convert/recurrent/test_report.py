"""What is told of the operators of integer files with recurrent layers."""

import keras
import numpy as np
import pytest

from export.convert.candidates.trials import convert
from export.convert.mixed.probes.figures import figures_of
from export.convert.mixed.report import operator_reports, probe_of
from export.convert.source import SourceModel
from export.formats.table import FORMATS
from tests.export.conftest import load_source, settings_of, unlabelled

pytestmark = pytest.mark.slow  # it converts with TensorFlow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    """A GRU, whose steps are a loop, behind an LSTM, which is one operator."""
    folder = tmp_path_factory.mktemp("recurrent")
    keras.utils.set_random_seed(1)
    x = keras.Input((28, 28), name="image")
    y = keras.layers.LSTM(6, return_sequences=True, name="first")(x)
    y = keras.layers.GRU(5, name="second")(y)
    keras.Model(x, keras.layers.Dense(3, name="head")(y)).save(folder / "model.keras")
    return load_source(folder / "model.keras", folder)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tflite-int8", {"first": "UNIDIRECTIONAL_SEQUENCE_LSTM", "second": "WHILE"}),
        ("onnx-int8", {"first": "LSTM", "second": "GRU"}),
    ],
)
def test_recurrent_layers_are_told_as_a_whole(
    name: str, expected: dict[str, str], source: SourceModel
) -> None:
    entry = FORMATS[name]
    settings = settings_of(entry)
    examples = np.random.default_rng(2).random((8, 28, 28), np.float32)
    content = convert(entry, settings, "min-max", source)
    seen = unlabelled(source, {"image": examples})
    probe = probe_of(entry, settings, "min-max", content, source, seen)
    reports = operator_reports(probe, figures_of(probe), source)
    found = {(each.layer, each.operator): each for each in reports}
    for layer, operator in expected.items():
        told = found[layer, operator]
        assert told.own_snr_db is None
        assert told.snr_db is not None
        assert 20 < told.snr_db < 150
        if entry.family == "tflite":
            assert "its steps are not looked at one by one; what it reads has" in told.cause
            assert "what it returns" in told.cause
    head = next(each for each in reports if each.layer == "head")
    assert head.own_snr_db is not None
    assert {each.name for each in probe.operators if each.optional} == {head.name}
