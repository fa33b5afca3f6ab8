"""Bad files and folders given to the commands: one line, exit code 2, nothing lost."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.commands import (
    GATE,
    REPOSITORY,
    Completed,
    assert_one_line_error,
    hashes,
    run_in_process,
    run_module,
)
from train.common.files.artifact import file_sha256, sealed, write_json


@pytest.mark.slow
def test_no_data_at_the_named_place(tmp_path: Path) -> None:
    done = run_in_process("train", "--data", tmp_path / "no", "--artifacts", tmp_path / "artifacts")
    assert_one_line_error(done, "--data", "no such folder", "expected the four Fashion-MNIST")


@pytest.mark.slow
def test_a_corrupt_data_file(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (folder / name).write_bytes(b"\x1f\x8b\x08" + bytes(50))
    done = run_in_process("benchmark", "--artifacts", artifacts, "--data", folder)
    assert_one_line_error(done, "t10k-images-idx3-ubyte.gz cannot be read")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "export", "benchmark"])
def test_an_unwritable_artifacts_folder(command: str, artifacts: Path, tmp_path: Path) -> None:
    """Root may write anywhere but not into a mount that is read-only, as /proc is."""
    blocked = tmp_path / "blocked"
    blocked.symlink_to("/proc/self/fdinfo")
    arguments = {"train": [], "export": ["--format", "tflite-int8"], "benchmark": []}[command]
    done = run_in_process(command, *arguments, "--artifacts", blocked)
    assert_one_line_error(done)


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes a manifest or a model's record in place, and keeps it consistent with itself."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    change(fields)
    write_json(path, sealed(fields) if "format" in fields else fields)


@pytest.mark.slow
def test_a_broken_artifact_is_an_error_row_and_the_others_are_measured(artifacts: Path) -> None:
    truncated, flipped = artifacts / "tflite-int8.tflite", artifacts / "tflite-float32.tflite"
    truncated.write_bytes(truncated.read_bytes()[:-100])
    content = flipped.read_bytes()
    flipped.write_bytes(content[:-9] + bytes([content[-9] ^ 255]) + content[-8:])
    (artifacts / "onnx-float16.onnx").unlink()
    garbled = artifacts / "onnx-float32.json"
    garbled.write_text(garbled.read_text()[:100])
    change_json(
        artifacts / "tflite-float16.json", lambda fields: fields["source"].update(sha256="0" * 64)
    )
    # a manifest can be right about a file that is not a model
    not_a_model = artifacts / "onnx-int8.onnx"
    not_a_model.write_bytes(b"not a model")
    now = {"sha256": file_sha256(not_a_model), "size_bytes": 11}
    change_json(artifacts / "onnx-int8.json", lambda fields: fields.update(now))
    expected = {
        "tflite-int8": "by its manifest",
        "tflite-float32": "got SHA-256",
        "onnx-float16": "is not there",
        "onnx-float32": "is not JSON",
        "tflite-float16": "was made from another model",
        "onnx-int8": "is not an ONNX file",
    }
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--quick", "--explain", *GATE),
        *("--format", ",".join((*expected, "tflite-dynamic"))),
    )
    assert done.code == 1, done.err
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    errors = {row["format"]: row["reasons"][0] for row in rows if row["verdict"] == "error"}
    assert errors.keys() == expected.keys()
    for name, text in expected.items():
        assert text in errors[name]
        assert f"{name}: error: {errors[name]}" in done.out
    (measured,) = (row for row in rows if row["verdict"] != "error")
    assert (measured["format"], measured["verdict"]) == ("tflite-dynamic", "pass")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_broken_model_is_refused_and_exports_stay(artifacts: Path, damage: str) -> None:
    path = artifacts / "model.keras"
    content = {"truncated": path.read_bytes()[:-500], "empty": b"", "text": b"hello"}[damage]
    path.write_bytes(content)
    before = file_sha256(artifacts / "tflite-int8.tflite")
    done = run_in_process("export", "--format", "tflite-int8", "--artifacts", artifacts)
    assert_one_line_error(done, "is not the model that model.json describes")
    assert file_sha256(artifacts / "tflite-int8.tflite") == before


@pytest.mark.slow
def test_a_file_that_is_not_a_model_but_has_the_recorded_hash(artifacts: Path) -> None:
    path, record = artifacts / "model.keras", artifacts / "model.json"
    path.write_bytes(b"hello")
    change_json(record, lambda fields: fields["model"].update(sha256=file_sha256(path)))
    # a new process, since TensorFlow must not greet on stderr either
    done = run_module("export", "--format", "tflite-int8", "--artifacts", artifacts)
    assert_one_line_error(done, "is not a Keras model that can be loaded")


def replace_model(artifacts: Path, model: keras.Model) -> None:
    """Puts another model in the folder, with a record that describes it."""
    path, record = artifacts / "model.keras", artifacts / "model.json"
    model.save(path)
    change_json(record, lambda fields: fields["model"].update(sha256=file_sha256(path)))


@pytest.mark.slow
def test_an_operator_that_a_scheme_cannot_quantize_is_named_with_the_format_that_can(
    artifacts: Path,
) -> None:
    trained = keras.saving.load_model(artifacts / "model.keras")
    flatten, hidden, _, last = trained.layers[1:]
    image = keras.Input((28, 28), name="image")
    x = hidden(flatten(image))
    replace_model(artifacts, keras.Model(image, last(x * keras.ops.sign(x))))
    before = file_sha256(artifacts / "tflite-int16x8.tflite")
    done = run_in_process(
        *("export", "--format", "tflite-int16x8,tflite-float32", "--artifacts", artifacts)
    )
    assert done.code == 2, done.out + done.err
    (line,) = done.err.splitlines()
    assert line.startswith("error: tflite-int16x8: the converter refused the model: it has no way")
    assert line.endswith("operator SIGN; tflite-dynamic can be made of this model")
    assert "tflite-float32" in done.out
    assert "accuracy drop" in done.out
    assert file_sha256(artifacts / "tflite-int16x8.tflite") == before


@pytest.mark.slow
def test_images_that_do_not_fit_the_model_are_refused(artifacts: Path) -> None:
    image = keras.Input((32, 32), name="image")
    x = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(image))
    replace_model(artifacts, keras.Model(image, x))
    done = run_in_process("export", "--format", "tflite-int8", "--artifacts", artifacts)
    assert_one_line_error(done, "calibration images of shape (28, 28), expected (32, 32)")


@pytest.mark.slow
@pytest.mark.parametrize(("count", "expected"), [("505", "multiple"), ("60000", "fewer")])
def test_impossible_calibration_samples(artifacts: Path, count: str, expected: str) -> None:
    before = file_sha256(artifacts / "tflite-int8.tflite")
    done = run_in_process(
        *("export", "--format", "tflite-int8", "--calibration-samples", count),
        *("--artifacts", artifacts),
    )
    assert_one_line_error(done, expected)
    assert file_sha256(artifacts / "tflite-int8.tflite") == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_broken_reference_outputs_are_refused(artifacts: Path, damage: str) -> None:
    path = artifacts / "model.outputs.npz"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1_000])
    done = run_in_process("benchmark", "--artifacts", artifacts)
    assert_one_line_error(done, "model.outputs.npz", "run `python -m train`")


@pytest.mark.slow
def test_a_full_disk_leaves_the_earlier_artifacts(artifacts: Path, tmp_path: Path) -> None:
    """A real limit on file sizes stands in for the disk: every larger write fails."""
    before = hashes(artifacts)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    arguments = ("--format", "tflite-float32", "--force", "--artifacts", artifacts)
    done = subprocess.run(
        [sys.executable, "-m", "export", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line_error(Completed(code=done.returncode, out=done.stdout, err=done.stderr))
    assert hashes(artifacts) == before
