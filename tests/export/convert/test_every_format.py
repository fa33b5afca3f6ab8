"""One test over every entry of the format table, with the real converters and runtimes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.convert.make import make
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.formats.calibration import (
    CORRECTIONS,
    EQUALIZED,
    METHODS_OF_FAMILY,
    corrected,
    parts_of,
)
from export.formats.settings import ExportOptions, Settings
from export.formats.table import BITS_PER_WEIGHT, FORMATS, Format
from export.runtimes.open import open_runner
from export.runtimes.predict import decode, encode, predict
from export.verify.expectation import Expectation
from export.verify.graph.read import read_graph
from tests.export.conftest import Tiny, settings_of, shared_options
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

ENTRIES = pytest.mark.parametrize("entry", FORMATS.values(), ids=list(FORMATS))


@ENTRIES
def test_the_file_is_what_was_asked_and_does_what_the_model_does(entry: Format, tiny: Tiny) -> None:
    made = tiny.made(entry.name)
    found, settings = made.verification, settings_of(entry, shared_options(entry.name))
    assert made.path.name == f"{entry.name}{entry.suffix}"
    assert found.failed == ()
    names = {check.name for check in found.checks}
    seen = {"format_checker", *(["int4_share"] if entry.weights == "int4" else [])}
    if entry.name in ("onnx-int8", "onnx-int8-mixed"):
        seen.add("computed_in_float")  # the softmax
    assert {each.name for each in found.observations} == seen
    assert names >= {
        *("input", "output", "size_bytes", "foreign_operators"),
        *("finite_outputs", "agreement", "accuracy_drop", "max_abs_error", "snr_db", "cosine"),
    }
    assert ("float_operators" in names) == (entry.calibrated and not entry.mixed)
    assert ("shape_operators" in names) == (settings.batch == 1)
    assert ("tflm_flips" in names) == (entry.family == "tflite" and entry.calibrated)
    assert ([s.name for s in found.inputs], [s.name for s in found.outputs]) == (
        ["image"],
        ["probabilities"],
    )
    assert found.inputs[0].shape == (settings.batch, 28, 28)
    assert found.outputs[0].shape == (settings.batch, 10)
    least = tiny.expected.weights * BITS_PER_WEIGHT[entry.weights] // 8
    assert made.path.stat().st_size >= least

    with open_runner(entry.runtime, made.path, threads=1) as runner:
        outputs = predict(runner, tiny.expected.inputs)["probabilities"]
    expected = tiny.expected.outputs["probabilities"]
    agreement = np.mean(outputs.argmax(axis=1) == expected.argmax(axis=1))
    assert agreement >= entry.limits.agreement
    (recorded,) = (check for check in found.checks if check.name == "agreement")
    assert recorded.value == agreement


@pytest.mark.parametrize("name", ["tflite-int8", "tflite-int4"])
def test_integer_input_takes_a_raw_pixel_less_128(name: str, tiny: Tiny) -> None:
    spec = tiny.made(name).verification.inputs[0]
    assert spec.scale == pytest.approx(1 / 255, rel=1e-6)
    assert spec.zero_point == -128
    pixels = np.arange(256, dtype=np.uint8)
    stored = encode(pixels.astype(np.float32) / np.float32(255), spec)
    assert stored.dtype == np.int8
    assert np.array_equal(stored, pixels.astype(np.int16) - 128)
    assert np.allclose(decode(stored, spec), pixels / 255, atol=1e-6)


def test_the_fixed_batch_leaves_no_shape_arithmetic(tiny: Tiny) -> None:
    network = ("FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX")
    assert read_graph(tiny.made("tflite-int8").path).operators == network
    open_ = tiny.made("tflite-int8", ExportOptions(batch="dynamic"))
    shape_arithmetic = ("SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE")
    assert read_graph(open_.path).operators == (*shape_arithmetic, *network)
    assert open_.verification.inputs[0].shape == (None, 28, 28)


@pytest.mark.parametrize(
    ("name", "io"),
    [("tflite-int8", "uint8"), ("tflite-int8", "float32"), ("tflite-int4", "float32")],
)
def test_other_input_and_output_dtypes(name: str, io: str, tiny: Tiny) -> None:
    made = tiny.made(name, ExportOptions(io=io))
    assert made.verification.inputs[0].dtype == made.verification.outputs[0].dtype == io
    assert made.verification.failed == ()
    assert "QUANTIZE" in read_graph(made.path).operators


def test_pruning_and_clustering_reach_what_was_asked(tiny: Tiny) -> None:
    """A half of zeros and eight distinct weights."""
    graph = read_graph(tiny.made("tflite-int8-pruned-clustered").path)
    assert 0.49 <= np.mean(graph.kernels[0] == 0) <= 0.6
    assert max(np.unique(kernel).size for kernel in graph.kernels) <= 8


def test_every_calibration_method_works_and_the_best_is_kept(tiny: Tiny) -> None:
    found = tiny.made("onnx-int8").calibration
    assert found is not None
    # but for channels to be equalized: they are alike
    tried = {parts_of(method)[1] or method for method in found.candidates}
    assert {*tried, EQUALIZED} == {*METHODS_OF_FAMILY["onnx"]}
    assert found.candidates[found.method] > max(found.candidates.values()) - 1  # dB
    assert found.count == 100
    assert found.clipped_share is not None
    assert 0 <= found.clipped_share < 0.01
    only = tiny.made("onnx-int8", ExportOptions(calibration_method="percentile")).calibration
    assert only is not None
    assert (only.method, only.candidates) == ("percentile", {})


@pytest.mark.parametrize("best", ["min-max", "mse", "bias-corrected"])
def test_the_calibration_that_does_best_on_held_out_examples_is_kept(
    best: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_methods = METHODS_OF_FAMILY["tflite"]
    methods = [method for method in all_methods if method != EQUALIZED]  # this model's are alike
    given = iter([np.full((1, 100), float(method != best)) for method in methods])
    monkeypatch.setattr(Expectation, "errors", lambda *_: next(given))
    made = tiny.make(FORMATS["tflite-int8"], tmp_path)
    assert made.calibration is not None
    ranges = [method for method in methods if method not in CORRECTIONS]
    least = best if best in ranges else "min-max"
    assert {*made.calibration.candidates} == {
        *ranges,
        *(corrected(least, correction) for correction in CORRECTIONS),
    }
    assert made.calibration.method == best


def test_what_is_wrong_with_a_file_is_told_before_what_could_not_be_converted(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finished(*_: object) -> None:
        raise ToolkitError("the ranges of its calibration cannot be looked at")

    monkeypatch.setattr("export.convert.make.finished", finished)
    with pytest.raises(ToolkitError, match="cannot be looked at"):  # channels are alike besides
        tiny.make(FORMATS["tflite-int8"], tmp_path)


@pytest.mark.parametrize("refused", [b"no file at all", None])
def test_where_the_best_method_fails_the_next_one_is_kept(
    refused: bytes | None, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = FORMATS["tflite-int8"]
    float_file = tiny.made("tflite-float32").path.read_bytes()
    real = tflite.convert

    def convert(
        entry: Format, settings: Settings, method: str | None, source: SourceModel
    ) -> bytes:
        if method == "min-max":
            return float_file if refused is None else refused
        return real(entry, settings, method, source)

    monkeypatch.setattr(tflite, "convert", convert)
    made = tiny.make(entry, tmp_path)
    assert made.calibration is not None
    assert made.calibration.method == "percentile"
    assert ("min-max" in made.calibration.candidates) == (refused is None)
    only = replace(settings_of(entry), calibration_methods=("min-max",))
    with pytest.raises(ToolkitError, match=r"cannot load|was not written: check input"):
        make(entry, only, tiny.source, tiny.expected, tmp_path)


@pytest.mark.parametrize("name", ["tflite-int8", "tflite-int4", "tflite-int8-pruned-clustered"])
def test_buffers_lie_where_the_schema_wants_them(name: str, tiny: Tiny) -> None:
    content = tiny.made(name).path.read_bytes()
    assert content[4:8] == b"TFL3"
    model = schema.Model.GetRootAs(content, 0)
    filled = 0
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if not buffer.DataIsNone():
            filled += 1
            position = buffer._tab.Vector(buffer._tab.Offset(4))
            assert position % 16 == 0
    assert filled >= 4
