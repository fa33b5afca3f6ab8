from dataclasses import replace

import pytest

from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS
from train.common.environment import read_environment
from train.common.errors import ToolkitError

METHODS = (
    *("min-max", "percentile", "mse", "widened-10", "widened-25"),
    *("equalized", "bias-corrected", "gptq"),
)


def settings(name: str, options: ExportOptions | None = None) -> Settings:
    return resolve([FORMATS[name]], options or ExportOptions())[name]


def test_defaults() -> None:
    int8, onnx = settings("tflite-int8"), settings("onnx-float32")
    assert (int8.batch, int8.io_dtype, int8.calibration_samples) == (1, "int8", 500)
    assert (int8.opset, int8.sparsities, int8.clusters, int8.epochs) == (None, (), None, None)
    assert (onnx.batch, onnx.io_dtype, onnx.opset) == (None, "float32", 18)
    assert settings("onnx-float16").opset == 15
    assert onnx.calibration_samples is None
    assert settings("tflite-int16x8").io_dtype == "int16"
    for name in ("tflite-int8", "tflite-int4"):
        assert settings(name).calibration_methods == METHODS
    both = settings("tflite-int8-pruned-clustered")
    assert (both.sparsities, both.clusters) == ((0.6, 0.4, 0.2), 16)


def test_the_models_own_batch_holds_unless_another_is_asked_for() -> None:
    for name in ("tflite-int8", "onnx-float32"):
        found = {
            asked: resolve([FORMATS[name]], ExportOptions(batch=asked), 4)[name].batch
            for asked in (None, "1", "dynamic")
        }
        assert found == {None: 4, "1": 1, "dynamic": None}


def test_options_apply_where_they_matter() -> None:
    options = ExportOptions(io="uint8", sparsity=0.5, opset=15, batch="dynamic", epochs=1)
    found = resolve(list(FORMATS.values()), options)
    assert {name for name, s in found.items() if s.io_dtype == "uint8"} == {
        *("tflite-int8", "tflite-int8-qat", "tflite-int8-pruned"),
        *("tflite-int8-clustered", "tflite-int8-pruned-clustered", "tflite-int4"),
        "tflite-int8-mixed",
    }
    assert {name for name, s in found.items() if s.max_drop} == {
        name for name in FORMATS if name.endswith("-mixed")
    }
    assert {name for name, s in found.items() if s.sparsities == (0.5,)} == {
        *("tflite-int8-pruned", "tflite-int8-pruned-clustered"),
    }
    assert {name for name, s in found.items() if s.opset == 15} == {
        name for name in FORMATS if name.startswith("onnx")
    }
    assert {s.batch for s in found.values()} == {None}
    assert {name for name, s in found.items() if s.epochs} == {
        name for name, entry in FORMATS.items() if entry.recipes
    }


@pytest.mark.parametrize(
    ("name", "option", "options"),
    [
        ("tflite-float32", "--io", ExportOptions(io="int8")),
        ("tflite-int16x8", "--io", ExportOptions(io="int8")),
        ("onnx-int8", "--io", ExportOptions(io="uint8")),
        ("tflite-int8", "--sparsity", ExportOptions(sparsity=0.5)),
        ("tflite-int8", "--calibration-method", ExportOptions(calibration_method="moving-average")),
        ("tflite-int8-pruned", "--clusters", ExportOptions(clusters=8)),
        ("onnx-dynamic", "--calibration-samples", ExportOptions(calibration_samples=100)),
        ("tflite-int8", "--calibration-method", ExportOptions(calibration_method="entropy")),
        ("onnx-float32", "--calibration-method", ExportOptions(calibration_method="auto")),
        ("tflite-int8", "--opset", ExportOptions(opset=15)),
        ("tflite-int8", "--epochs", ExportOptions(epochs=3)),
        ("onnx-float16", "--target-cpu", ExportOptions(target_cpu="any")),
    ],
)
def test_an_option_that_matters_to_nothing_asked_for_is_refused(
    name: str, option: str, options: ExportOptions
) -> None:
    with pytest.raises(ToolkitError, match=f"{option} .* matters to none of {name};"):
        settings(name, options)


def test_a_file_for_this_processor_is_out_of_date_on_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = replace(read_environment(), architecture="x86_64", cpu_features=("avx2",))
    monkeypatch.setattr("export.formats.settings.read_environment", lambda: here)
    before = settings("onnx-int8").record()
    assert before["target_cpu"] == "this: x86_64 without dot products"
    there = replace(here, cpu_features=("avx2", "avx512_vnni"))
    monkeypatch.setattr("export.formats.settings.read_environment", lambda: there)
    assert settings("onnx-int8").record()["target_cpu"] == "this: x86_64 with avx512_vnni"


def test_the_record_holds_what_matters() -> None:
    assert settings("onnx-float32").record() == {
        "batch": "dynamic",
        "io_dtype": "float32",
        "opset": 18,
    }
    assert settings("onnx-dynamic", ExportOptions(target_cpu="any")).record() == {
        "batch": "dynamic",
        "io_dtype": "float32",
        "opset": 18,
        "target_cpu": "any",
    }
    assert settings("tflite-int8-qat", ExportOptions(epochs=2)).record() == {
        "batch": 1,
        "io_dtype": "int8",
        "calibration_samples": 500,
        "calibration_methods": [*METHODS],
        "epochs": 2,
    }


def test_metadata_is_of_tflite_files() -> None:
    kept = ExportOptions(keep_metadata=True)
    found = resolve([FORMATS["tflite-int8"], FORMATS["onnx-int8"]], kept)
    assert [found[name].keep_metadata for name in ("tflite-int8", "onnx-int8")] == [True, False]
    assert found["tflite-int8"].record()["keep_metadata"] is True
    assert "keep_metadata" not in settings("tflite-int8").record()
    with pytest.raises(ToolkitError, match="--keep-metadata matters to none of onnx-int8"):
        resolve([FORMATS["onnx-int8"]], kept)
