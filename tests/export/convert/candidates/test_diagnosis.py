"""What a refusal says of data that the ranges do not hold, and of a division by zero."""

from dataclasses import replace
from pathlib import Path

import keras
import pytest

from export.convert.candidates.diagnosis import failing_layer, layer_of
from export.convert.make import make
from export.convert.source import SourceModel
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from tests.export.conftest import Tiny, load_source, settings_of, unlabelled
from train.common.errors import CheckError, ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow
COUNT = 30


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    folder = tmp_path_factory.mktemp("regression")
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(keras.layers.Flatten()(image))
    keras.Model(image, keras.layers.Dense(2, name="out")(hidden)).save(folder / "model.keras")
    return load_source(folder / "model.keras", folder)


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_examples_that_the_ranges_clip_are_told_with_what_they_cost(
    name: str, source: SourceModel, tiny: Tiny, tmp_path: Path
) -> None:
    inputs = {"image": tiny.expected.inputs["image"][:COUNT].copy()}
    entry = FORMATS[name]
    settings = replace(settings_of(entry), calibration_methods=("min-max",))
    make(entry, settings, source, unlabelled(source, inputs), tmp_path)
    inputs["image"][7] *= 30
    expected = (
        rf"1 of {COUNT} held-out examples lie outside the ranges that the 100 of the representative"
        r" dataset gave, furthest at '\S+': \S+, beyond \S+, where \S+% of the "
        r"values are clipped; without those examples the SNR is (?:1[5-9]|[2-6]\d)\.\d dB instead "
        r"of \S+: "
        "calibrate with more examples$"
    )
    with pytest.raises(CheckError, match=expected):
        make(entry, settings, source, unlabelled(source, inputs), tmp_path)


def test_a_division_by_what_rounds_to_zero_is_told_with_its_layer(
    tiny: Tiny, tmp_path: Path
) -> None:
    image = keras.Input((28, 28), name="image")
    flat = keras.layers.Flatten()(image)
    above, below = (keras.layers.Dense(8, activation="relu")(flat) for _ in range(2))
    rate = keras.ops.divide(above, below + 1e-4)
    keras.Model(image, keras.layers.Dense(2, name="out")(rate)).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    inputs = {"image": tiny.expected.inputs["image"][:COUNT]}
    entry = FORMATS["tflite-int8"]
    expected = "cannot run the file: layer 'truediv' divides by values that its integers round to 0"
    with pytest.raises(ToolkitError, match=expected):
        make(entry, settings_of(entry), source, unlabelled(source, inputs), tmp_path)


def test_other_errors_of_an_operator_name_its_layer_too(
    source: SourceModel, tiny: Tiny, tmp_path: Path
) -> None:
    entry = FORMATS["tflite-float32"]
    inputs = {"image": tiny.expected.inputs["image"][:COUNT]}
    settings = settings_of(entry, ExportOptions(keep_metadata=True))
    path = make(entry, settings, source, unlabelled(source, inputs), tmp_path).path
    said = "a: b: no kernel for int16.Node number 0 (FULLY_CONNECTED) failed to invoke."
    assert failing_layer(said, path, source) == "no kernel for int16 (layer 'hidden')"
    assert failing_layer("a: no node", path, source) == ""
    assert failing_layer(said.replace("0", "99"), path, source) == ""


def test_layers_are_found_in_the_names_of_tensors(source: SourceModel) -> None:
    found = [
        layer_of(name, source)
        for name in ("model_1/hidden_1/MatMul;model_1/hidden_1/Relu#4c", "out", "model_1/truediv:0")
    ]
    assert found == ["hidden", "out", "truediv"]
