"""Ranges that leave out odd examples."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.calibrate.calibration import (
    onnx_activations,
    tflite_ranges,
    tflite_values,
)
from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.convert.tflite.converter import float_twin
from export.formats.calibration import WIDENED
from export.formats.settings import SIGNED_WEIGHTS
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.conftest import Tiny, load_source, settings_of
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


def odd_example(tiny: Tiny, folder: Path) -> SourceModel:
    """The tiny model, with one calibration example ten times as bright as the others."""
    source = load_source(tiny.path, folder)
    known = source.representative
    bright = known.inputs["image"].copy()
    bright[7] *= 10
    source._representative = replace(known, inputs={"image": bright})
    return source


def test_percentiles_leave_out_an_odd_example_but_never_clip_the_input(
    tiny: Tiny, tmp_path: Path
) -> None:
    source = odd_example(tiny, tmp_path)
    brightest = source.representative.inputs["image"].max()
    entry = FORMATS["tflite-int8"]
    widths = {}
    for method in ("min-max", "percentile"):
        path = tmp_path / f"{method}.tflite"
        path.write_bytes(convert(entry, settings_of(entry), method, source))
        with open_runner("litert", path, threads=1) as runner:
            assert runner.inputs[0].scale == pytest.approx(brightest / 255, rel=1e-6)
        widths[method] = {name: high for name, (_, high, _) in tflite_ranges(path).items()}
    assert widths["min-max"].keys() == widths["percentile"].keys()
    narrowed = [
        name for name, high in widths["min-max"].items() if widths["percentile"][name] < 0.5 * high
    ]
    assert len(narrowed) == 2  # the hidden layer and the logits, but not the probabilities


def test_an_onnx_model_of_too_many_activations_for_histograms_has_percentiles_all_the_same(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = odd_example(tiny, tmp_path)
    monkeypatch.setattr("export.convert.onnx.quantizer.HISTOGRAM_BYTES", 0)
    entry = FORMATS["onnx-int8"]
    settings = replace(settings_of(entry), weight_schemes=SIGNED_WEIGHTS[:1])
    ends = {}
    for method in ("min-max", "percentile"):
        path = tmp_path / f"{method}.onnx"
        path.write_bytes(convert(entry, settings, method, source))
        found = onnx_activations(path, source.representative.inputs)[1]
        ends[method] = {name: high for name, (_, high, _) in found.items()}
    narrowed = [
        name for name, high in ends["percentile"].items() if high < 0.5 * ends["min-max"][name]
    ]
    assert narrowed
    assert "image" not in narrowed
    with pytest.raises(ToolkitError, match="use percentile or fewer --calibration-samples"):
        convert(entry, settings, "entropy", source)


@pytest.mark.parametrize("family", ["tflite", "onnx"])
def test_a_correction_is_of_a_file_with_any_ranges(family: str, tiny: Tiny, tmp_path: Path) -> None:
    entry = FORMATS[f"{family}-int8"]
    settings = replace(settings_of(entry), weight_schemes=SIGNED_WEIGHTS[:1])
    files, ranges = {}, {}
    for method in ("min-max", "bias-corrected", "widened-10", "widened-10+bias-corrected"):
        path = tmp_path / f"{method}.{family}"
        files[method] = convert(entry, settings, method, tiny.source)
        path.write_bytes(files[method])
        inputs = tiny.source.representative.inputs
        ranges[method] = (
            tflite_ranges(path) if family == "tflite" else onnx_activations(path, inputs)[1]
        )
    assert len({*files.values()}) == 4
    assert ranges["bias-corrected"] == ranges["min-max"] != ranges["widened-10"]
    assert ranges["widened-10+bias-corrected"] == ranges["widened-10"]


@pytest.mark.parametrize("family", ["tflite", "onnx"])
def test_beyond_few_examples_there_is_room_in_every_range(
    family: str, tiny: Tiny, tmp_path: Path
) -> None:
    entry = FORMATS[f"{family}-int8"]
    settings = replace(settings_of(entry), weight_schemes=SIGNED_WEIGHTS[:1])
    ends = {}
    for method in ("min-max", *WIDENED):
        path = tmp_path / f"{method}.{family}"
        path.write_bytes(convert(entry, settings, method, tiny.source))
        inputs = tiny.source.representative.inputs
        found = tflite_ranges(path) if family == "tflite" else onnx_activations(path, inputs)[1]
        ends[method] = {name: (low, high) for name, (low, high, _) in found.items()}
    for method, factor in WIDENED.items():
        assert len(ends[method]) >= 2
        wider = [
            np.allclose(found, np.multiply(ends["min-max"][name], factor), rtol=0.02, atol=0.02)
            for name, found in ends[method].items()
        ]
        assert wider.count(False) == (family == "tflite")  # whose softmax has fixed ones


def test_a_term_that_a_sum_is_written_over_keeps_its_own_range(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    large = keras.layers.Conv2D(8, 3)(keras.layers.Reshape((28, 28, 1))(image))
    small = keras.initializers.RandomUniform(-0.01, 0.01, seed=0)
    terms = keras.layers.Conv2D(8, 1, kernel_initializer=small)(large)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(keras.layers.Add()([large, terms]))
    keras.Model(image, mean).save(tmp_path / "model.keras")
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS["tflite-int8"]
    path = tmp_path / "int8.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    twin = float_twin(source, entry, settings_of(entry))
    widest: dict[str, float] = {}
    for values in tflite_values(twin, source.representative.inputs):
        for name, value in values.items():
            widest[name] = max(widest.get(name, 0.0), float(np.abs(value).max()))
    held = {name: max(-low, high) for name, (low, high, _) in tflite_ranges(path).items()}
    assert len(held.keys() & widest.keys()) == 6  # the picture, reshaped, two layers, sum, mean
    for name in held.keys() & widest.keys():
        # TensorFlow's own calibrator gives the small term the range of the sum, 100 times as wide
        assert held[name] < 1.02 * widest[name]


def test_what_is_normalized_over_one_channel_crashes_no_kernel(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    signal = keras.layers.Reshape((784, 1))(image)
    total = signal + 2 * keras.ops.relu(signal)
    x = keras.layers.LayerNormalization()(total)  # of one number, which is its own mean
    x = keras.layers.Flatten()(keras.layers.Concatenate()([x, total]))
    keras.Model(image, keras.layers.Dense(3)(x)).save(tmp_path / "model.keras")
    entry, source = FORMATS["tflite-int8"], load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    inputs = {"image": source.representative.inputs["image"]}
    (wanted,) = source.predict(inputs).values()
    with open_runner("litert", path, threads=1) as runner:
        (found,) = predict(runner, inputs).values()
    assert np.std(found - wanted) < 0.05 * np.std(wanted)
