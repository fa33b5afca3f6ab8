"""Verification must refuse what merely converted: each test plants a real fault."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from export import pipeline
from export.converters.flatbuffer import name_tensors
from export.formats import FORMATS, Format
from export.pipeline import make
from export.verify import verify
from tests.export.conftest import Tiny, load_tiny
from train.errors import ArtifactError, CheckError, ToolkitError

FLOAT, INT8 = FORMATS["tflite-float32"], FORMATS["tflite-int8"]


def failed(entry: Format, content: bytes, tiny: Tiny, folder: Path) -> list[str]:
    path = folder / f"{entry.name}{entry.suffix}"
    path.write_bytes(content)
    return [check.name for check in verify(entry, path, tiny.expected).failed]


def test_unfrozen_variables_are_caught_by_size(tiny: Tiny, tmp_path: Path) -> None:
    """The documented trap: converting a Keras 3 model's concrete function succeeds, emptily."""
    function = tf.function(tiny.source.serve).get_concrete_function(tiny.source.signature(1))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tiny.source.model)
    content = name_tensors(converter.convert(), inputs=["image"], outputs=["probabilities"])
    assert failed(FLOAT, content, tiny, tmp_path) == ["size_bytes"]


def test_an_integer_model_with_float_input_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    path, _ = make(FORMATS["tflite-dynamic"], tiny.source, tiny.expected, tmp_path)
    assert failed(INT8, path.read_bytes(), tiny, tmp_path) == ["input", "output"]


def test_a_default_name_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tiny.source.saved_model))
    assert failed(FLOAT, converter.convert(), tiny, tmp_path) == ["input", "output"]


def test_other_weights_are_caught(tiny: Tiny, tmp_path: Path) -> None:
    other = keras.models.clone_model(tiny.source.model)
    other.save(tmp_path / "other.keras")
    with pytest.raises(AssertionError):  # an untrained model does not classify
        load_tiny(tmp_path / "other.keras", tmp_path)
    source = SimpleNamespace(**vars(tiny.source))
    archive = keras.export.ExportArchive()
    archive.track(other)
    archive.add_endpoint(
        "serving_default",
        lambda image: {"probabilities": other(image, training=False)},
        input_signature=[tiny.source.signature(1)],
    )
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    source.saved_model = tmp_path / "saved"
    with pytest.raises(CheckError, match=r"tflite-float32 was not written: check agreement: got"):
        make(FLOAT, source, tiny.expected, tmp_path)  # type: ignore[arg-type]


def test_calibration_on_garbage_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    garbage = replace(
        tiny.source.representative, inputs=np.full((50, 28, 28), 1e-6, dtype=np.float32)
    )
    source = SimpleNamespace(**{**vars(tiny.source), "saved_model": tiny.source.saved_model})
    source.representative = garbage
    with pytest.raises(CheckError, match="agreement"):
        make(INT8, source, tiny.expected, tmp_path)  # type: ignore[arg-type]


def test_nan_weights_are_caught(tiny: Tiny, tmp_path: Path) -> None:
    broken = keras.models.clone_model(tiny.source.model)
    weights = tiny.source.model.get_weights()
    weights[0][0, 0] = np.nan
    broken.set_weights(weights)
    source = SimpleNamespace(
        model=broken, signature=tiny.source.signature, serve=None, folder=tmp_path
    )
    source.serve = lambda image: {"probabilities": broken(image, training=False)}
    with pytest.raises(CheckError, match="finite_outputs"):
        make(FORMATS["onnx-float32"], source, tiny.expected, tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 64])
def test_what_is_no_model_is_refused(name: str, content: bytes, tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(ArtifactError, match="cannot load"):
        failed(FORMATS[name], content, tiny, tmp_path)


def test_a_converters_refusal_is_one_error_with_its_reason(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(entry: Format, source: object) -> bytes:
        raise ValueError("operator FOO has no kernel\nwith a long tail")

    monkeypatch.setitem(pipeline.CONVERTERS, "tflite", SimpleNamespace(convert=refuse))
    with pytest.raises(ToolkitError, match=r"tflite-float32: .*: operator FOO has no kernel$"):
        make(FLOAT, tiny.source, tiny.expected, tmp_path)
