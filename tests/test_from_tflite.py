"""`python -m export --from-tflite`: files of others as C and for TFLM, and what is refused."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.deploy.foreign import guarded
from export.deploy.foreign.package import ForeignRequest
from export.manifest import read_manifest
from tests.commands import assert_one_line_error, run_in_process
from tests.export.deploy.foreign.files import (
    edited,
    of_another_version,
    renamed,
    smallest,
    with_custom_operator,
)
from train.common.files.artifact import file_sha256, write_npz

NAMES = {"image": "serving_default_x:0", "probabilities": "StatefulPartitionedCall:0"}


@pytest.mark.slow
def test_c_and_tflm_of_a_file_from_elsewhere(trained_artifacts: Path, tmp_path: Path) -> None:
    """The C that is made gives LiteRT's bytes; it is the C of the export under other names."""
    vendor = renamed(trained_artifacts / "tflite-int8.tflite", tmp_path / "vendor.tflite", NAMES)
    images = np.random.RandomState(1).randint(0, 256, (150, 28, 28)).astype(np.uint8)
    write_npz(tmp_path / "images.npz", {"serving_default_x:0": images})
    done = run_in_process(
        *("export", "--from-tflite", vendor, "--format", "c,tflm", "--artifacts", tmp_path),
        *("--calibration", tmp_path / "images.npz", "--scale", "1/255"),
        *("--model", trained_artifacts / "model.keras"),
    )
    assert (done.code, done.err) == (0, "")
    made = tmp_path / "from-tflite" / "vendor"
    manifest = read_manifest(made / "c" / "c.json")
    assert manifest.source.sha256 == file_sha256(vendor)
    assert manifest.preprocessing["serving_default_x:0"].scale == pytest.approx(1 / 255)
    (beside_keras,) = (each for each in manifest.checks if each.name == "keras_snr_db")
    assert 15 < float(beside_keras.value) < 60
    (compared,) = (each for each in manifest.checks if each.name == "differing_bytes")
    assert (compared.value, compared.limit) == (0, "0 of 1000")  # ten classes of a hundred images
    assert "serving_default_x" in (made / "c" / "model.h").read_text()
    content = json.loads((made / "tflm" / "tflm.json").read_text())
    checks = {each["name"]: each for each in content["checks"]}
    assert checks["tflm_max_difference"]["passed"]
    assert f"all in {made}" in done.out


@pytest.mark.slow
def test_what_cannot_be_packaged_is_one_line_and_leaves_nothing(
    trained_artifacts: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.tflite").write_text("no model")
    int8 = trained_artifacts / "tflite-int8.tflite"
    for path, kind, expected in (
        (tmp_path / "absent.tflite", "c", "absent.tflite: No such file or directory; give another"),
        (tmp_path / "text.tflite", "c", "does not carry TFLite's file identifier; give another"),
        (trained_artifacts / "onnx-int8.onnx", "c", "expected .tflite; give another file"),
        (with_custom_operator(int8, tmp_path / "own.tflite"), "c", "needs vendor_npu, expected"),
        (of_another_version(int8, tmp_path / "new.tflite"), "tflm", "needs FULLY_CONNECTED, exp"),
        (smallest(tmp_path, "litert"), "c", "expected an integer file"),
    ):
        done = run_in_process(
            "export", "--from-tflite", path, "--format", kind, "--artifacts", tmp_path / "made"
        )
        assert_one_line_error(done, expected)
        assert not [file for file in (tmp_path / "made").rglob("*") if file.is_file()]


@pytest.mark.slow
def test_a_file_of_another_model_is_one_line(trained_artifacts: Path, tmp_path: Path) -> None:
    """One with other inputs does not fit; one that computes something else is told by how much."""
    model = ("--model", trained_artifacts / "model.keras", "--artifacts", tmp_path / "made")
    int8 = trained_artifacts / "tflite-int8.tflite"

    def other_weights(file: Any) -> None:
        for buffer in file.buffers:
            if buffer.data is not None and len(buffer.data) > 1000:
                buffer.data = np.asarray(buffer.data)[::-1].copy()

    for path, expected in (
        (smallest(tmp_path, "litert"), "expected one that fits it among the model's"),
        (edited(int8, tmp_path / "other.tflite", other_weights), "expected at least 6.5; give the"),
    ):
        done = run_in_process("export", "--from-tflite", path, "--format", "c", *model)
        assert_one_line_error(done, expected)


def test_a_file_that_crashes_the_work_costs_its_package_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(request: ForeignRequest, kind: str, *rest: object) -> str:
        if kind == "c":
            os.abort()
        return f"{kind} is made"

    monkeypatch.setattr(guarded, "make_foreign", make)
    request = ForeignRequest(path=tmp_path / "v.tflite", artifacts=tmp_path)
    failures = guarded.package_foreign(request, ["c", "tflm"])
    assert {kind: str(error) for kind, error in failures.items()} == {
        "c": f"c: {tmp_path / 'v.tflite'} crashes what is made of it (SIGABRT); give another file"
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "wasm"], "got --from-tflite with --format wasm, expected c, tflm or ethos-u"),
        ([], "got --from-tflite with --format …, expected c, tflm or ethos-u"),
        (["--format", "c", "--unsafe"], "got --from-tflite with --unsafe, expected"),
        (["--format", "c", "--from", "tflite-int8"], "got --from-tflite with options of a conv"),
        (["--format", "c", "--epochs", "2"], "got --from-tflite with options of a conversion"),
        (["--format", "c", "--npu", "ethos-u55-32"], "got --npu without --format ethos-u"),
        (["--format", "c", "--scale", "2", "--preprocess", "scale=2"], "say it all with --prepr"),
    ],
)
def test_what_is_no_question_of_a_file_is_refused(arguments: list[str], expected: str) -> None:
    done = run_in_process("export", "--from-tflite", "a.tflite", *arguments)
    assert_one_line_error(done, expected)
