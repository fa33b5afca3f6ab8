"""Finding manifests and refusing those that prove nothing, without the data set or a runtime."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import (
    Variant,
    check_overlap,
    check_source,
    find_manifests,
    find_variants,
)
from export.formats.table import FORMATS
from export.manifest import Calibration, Manifest
from export.model.recorded import write_request
from export.model.request import ModelRequest
from tests.examples import MANIFEST, OUTPUT, REFERENCE
from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256, write_json
from train.common.preprocessing import RAW
from train.common.reference_outputs import check_reference
from train.common.samples import Samples

IMAGES = np.random.RandomState(0).randint(0, 256, (6, 2, 2)).astype(np.uint8)
LABELS = np.arange(6, dtype=np.uint8) % 3
TEST = Samples(inputs={"image": IMAGES}, targets={"probabilities": LABELS})
CALIBRATED = Calibration(
    count=3,
    sha256="",
    examples=("0" * 16, TEST.short_hashes()[4], TEST.short_hashes()[1]),
    method="min-max",
    candidates={},
    clipped_share=0,
    halves_difference=0,
)


SETTINGS = MeasureSettings(samples=1_000, rounds=5, launches=1, max_seconds=1)


@pytest.fixture(autouse=True)
def no_model_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files here hold no model."""
    monkeypatch.setattr("benchmark.measure.variants.check_kept", lambda manifest: None)


def variants(folder: Path, keras: Path | None = None, **changes: Any) -> list[Variant]:
    manifests = find_manifests(folder, None)
    return find_variants(
        manifests, replace(SETTINGS, **changes), REFERENCE, TEST, keras, built=folder / "built"
    )


def write_export(folder: Path, name: str, runtime: str) -> Manifest:
    file = folder / f"{name}.bin"
    file.write_bytes(b"weights")
    manifest = replace(
        MANIFEST,
        path=folder / f"{name}.json",
        format=name,
        runtime=runtime,
        file=file.name,
        sha256=file_sha256(file),
        size_bytes=7,
    )
    write_json(manifest.path, manifest.as_json())
    return manifest


def test_manifests_come_in_the_tables_order_and_nothing_else_does(tmp_path: Path) -> None:
    names = ["zzz-mine", "onnx-int8", "tflite-int8", "model", "benchmark"]
    for name in names:
        (tmp_path / f"{name}.json").write_text("{}")
    (tmp_path / "tflite-int8.tflite").write_text("")
    (tmp_path / "tflite-int8.explorer.json").write_text("{}")  # for another program
    found = [path.stem for path in find_manifests(tmp_path, None)]
    assert found == ["tflite-int8", "onnx-int8", "zzz-mine"]
    assert find_manifests(tmp_path, (FORMATS["onnx-int8"],)) == [tmp_path / "onnx-int8.json"]


def test_no_exports_yet(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run `python -m export --format all`"):
        find_manifests(tmp_path, None)
    with pytest.raises(ArtifactError, match="run `python -m export --format onnx-int8`"):
        find_manifests(tmp_path, (FORMATS["onnx-int8"],))


def test_a_row_for_each_number_of_threads_and_each_mode_that_the_runtime_knows(
    tmp_path: Path,
) -> None:
    write_export(tmp_path, "tflite-int8", "litert")
    write_export(tmp_path, "onnx-int8", "onnxruntime")
    found = variants(tmp_path, threads=(1, 2), modes=("xnnpack", "builtin", "basic"))
    assert [variant.key for variant in found] == [
        *("tflite-int8+xnnpack+1t", "tflite-int8+builtin+1t"),
        *("tflite-int8+xnnpack+2t", "tflite-int8+builtin+2t"),
        *("onnx-int8+basic+1t", "onnx-int8+basic+2t"),
    ]
    assert [s.mode for s in variants(tmp_path)] == [*("xnnpack", "all")]


def test_the_keras_model_comes_first_if_it_is_asked_for(tmp_path: Path) -> None:
    write_export(tmp_path, "tflite-int8", "litert")
    (tmp_path / "model.keras").write_bytes(b"weights")
    write_request(tmp_path / "keras", ModelRequest(path=str(tmp_path / "model.keras")))
    keras, export = variants(tmp_path, keras=tmp_path / "keras")
    assert (keras.format, export.format) == ("keras", "tflite-int8")
    assert keras.size_bytes == len(b"weights")


def test_a_broken_manifest_is_a_row_with_a_problem(tmp_path: Path) -> None:
    write_export(tmp_path, "onnx-int8", "onnxruntime")
    (tmp_path / "tflite-int8.json").write_text("{")
    broken, sound = variants(tmp_path)
    assert broken.problem is not None
    assert "is not JSON" in broken.problem
    assert sound.problem is None


def test_a_file_with_another_hash_is_a_row_with_a_problem(tmp_path: Path) -> None:
    manifest = write_export(tmp_path, "tflite-int8", "litert")
    manifest.artifact_path.write_bytes(b"Weights")
    (found,) = variants(tmp_path)
    assert "SHA-256" in str(found.problem)


def test_an_export_calibrated_on_test_images_is_a_row_with_a_problem(tmp_path: Path) -> None:
    manifest = replace(write_export(tmp_path, "tflite-int8", "litert"), calibration=CALIBRATED)
    write_json(manifest.path, manifest.as_json())
    (found,) = variants(tmp_path)
    assert "overlaps the calibration set: 2 of its 3" in str(found.problem)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": replace(MANIFEST.source, sha256="older")}, "was made from another model"),
        ({"preprocessing": {"image": RAW}}, "normalization is not the Keras"),
        ({"outputs": (replace(OUTPUT, name="x"),)}, "outputs are not the Keras model's: got x "),
        ({"outputs": (replace(OUTPUT, shape=(1, 4)),)}, "outputs are not the Keras model's: got "),
        ({"labels": ("b", "a", "c")}, "labels are not the Keras model's, or in another order"),
    ],
)
def test_an_export_of_another_model_is_refused(changes: dict[str, Any], words: str) -> None:
    check_source(MANIFEST, REFERENCE)
    with pytest.raises(ArtifactError, match=f"{words}.*--format fake` again"):
        check_source(replace(MANIFEST, **changes), REFERENCE)


def test_test_images_that_calibrated_an_export_are_refused() -> None:
    hashes = TEST.short_hashes()
    with pytest.raises(ArtifactError, match="overlaps the calibration set: 2 of its 3 examples"):
        check_overlap(replace(MANIFEST, calibration=CALIBRATED), frozenset(hashes))
    check_overlap(replace(MANIFEST, calibration=CALIBRATED), frozenset(hashes[2:4]))
    check_overlap(MANIFEST, frozenset(hashes))


def test_outputs_on_other_data_are_refused() -> None:
    reference = replace(REFERENCE, data_sha256=TEST.sha256(), inputs_sha256=TEST.inputs_sha256())
    check_reference(reference, TEST)
    check_reference(reference, replace(TEST, targets={}))
    shifted = replace(TEST, targets={"probabilities": (LABELS + 1) % 3})
    other = Samples(inputs={"image": IMAGES[::-1]})
    for test in (shifted, other):
        with pytest.raises(ArtifactError, match=re.escape("belong to other test data: got data")):
            check_reference(reference, test)


def test_a_file_that_is_replaced_while_it_is_measured_is_noticed(tmp_path: Path) -> None:
    write_export(tmp_path, "tflite-int8", "litert")
    (row,) = variants(tmp_path)
    row.check_unchanged(REFERENCE)
    row.path.write_bytes(b"another"[: row.size_bytes].ljust(row.size_bytes or 0))
    with pytest.raises(ArtifactError, match=r"changed while it was measured: .* got SHA-256"):
        row.check_unchanged(REFERENCE)
    row.path.unlink()
    with pytest.raises(ArtifactError, match=r"changed while it was measured: .* is not there"):
        row.check_unchanged(REFERENCE)
