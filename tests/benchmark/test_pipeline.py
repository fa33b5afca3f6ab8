"""Finding manifests and surviving broken exports, without the data set or a runtime."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.gate import Gate
from benchmark.pipeline import benchmark_one, check_reference, find_manifests, run_worker
from benchmark.worker import Job
from export.formats import FORMATS
from train.data import LabelledImages
from train.errors import ArtifactError
from train.record import ReferenceOutputs

REFERENCE = ReferenceOutputs(
    outputs=np.eye(10, dtype=np.float32), model_sha256="model", data_sha256="data"
)


def job(manifest: Path) -> Job:
    folder = manifest.parent
    return Job(
        manifest=manifest, images=folder / "images.npy", results=folder, threads=1, samples=1_000
    )


def test_manifests_come_in_the_tables_order_and_nothing_else_does(tmp_path: Path) -> None:
    names = ["zzz-mine", "onnx-int8", "tflite-int8", "model", "benchmark"]
    for name in names:
        (tmp_path / f"{name}.json").write_text("{}")
    (tmp_path / "tflite-int8.tflite").write_text("")
    found = [path.stem for path in find_manifests(tmp_path, None)]
    assert found == ["tflite-int8", "onnx-int8", "zzz-mine"]
    assert find_manifests(tmp_path, (FORMATS["onnx-int8"],)) == [tmp_path / "onnx-int8.json"]


def test_no_exports_yet(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run `python -m export --format all`"):
        find_manifests(tmp_path, None)
    with pytest.raises(ArtifactError, match="run `python -m export --format onnx-int8`"):
        find_manifests(tmp_path, (FORMATS["onnx-int8"],))


def test_a_broken_manifest_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "tflite-int8.json"
    path.write_text("{")
    gate = Gate(baseline=0.5, tolerance=0.1)
    found = benchmark_one(job(path), REFERENCE, np.arange(10), gate)
    assert (found.format, found.verdict, found.accuracy) == ("tflite-int8", "error", None)
    assert "is not JSON" in found.reasons[0]
    assert found.as_json(gate)["accuracy"] is None


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -SEGV $$", "ended by signal 11: no message"),
        ("echo MemoryError >&2; exit 1", "ended by an exception: MemoryError"),
    ],
)
def test_a_worker_that_dies_is_an_error_that_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ArtifactError, match=f"tflite-int8: its process {reason}"):
        run_worker(job(tmp_path / "tflite-int8.json"))


def test_outputs_on_other_data_are_refused() -> None:
    test = LabelledImages(images=np.zeros((10, 1), np.uint8), labels=np.arange(10, dtype=np.uint8))
    with pytest.raises(ArtifactError, match="belong to other test data: got data data"):
        check_reference(REFERENCE, test)
