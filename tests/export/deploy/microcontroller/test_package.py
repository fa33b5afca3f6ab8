"""The set of files in a folder of its own, and its manifest."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import export.deploy.microcontroller.package as package_module
from benchmark.measure.variants import find_manifests
from export.deploy.microcontroller.package import FOLDER, is_current
from export.formats.settings import ExportOptions
from export.manifest import Manifest
from tests.export.conftest import Tiny, settings_of
from tests.export.deploy.conftest import INT8, LABELS, SETTINGS, inputs_of
from tests.export.deploy.microcontroller.conftest import package
from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256, is_sealed
from train.common.record import ModelRecord


def test_another_file_than_the_verified_one_is_refused(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    path, manifest = converted
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match=r"is not the file that tflite-int8\.json describes"):
        package((path, manifest), tiny, record)
    assert not (record.folder / FOLDER).exists()


def test_the_manifest_says_what_the_files_are_and_is_current_until_something_changes(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    _, manifest = converted
    inputs = inputs_of(tiny, record)
    assert not is_current(SETTINGS, inputs)
    folder = package(converted, tiny, record)
    content = json.loads((folder / "tflm.json").read_text())
    assert is_sealed(content)
    assert {file["file"]: file["sha256"] for file in content["files"]} == {
        name: file_sha256(folder / name) for name in ("model_data.h", "model_data.cc")
    }
    assert content["model"]["sha256"] == manifest.sha256
    assert content["operators"] == {
        "FULLY_CONNECTED": "AddFullyConnected",
        "SOFTMAX": "AddSoftmax",
    }
    assert content["flash"]["model_bytes"] == manifest.size_bytes
    assert content["flash"]["least_bytes"] == manifest.size_bytes + 16 * 1024
    assert content["ram"]["arena_bytes"] == content["arena"]["size_bytes"]
    verdicts = {board["name"]: board["fits"] for board in content["boards"]}
    assert not verdicts["Arduino Uno R3"]
    assert verdicts["Raspberry Pi Pico"]
    assert content["labels"] == list(LABELS)

    assert is_current(SETTINGS, inputs)
    assert not is_current(settings_of(INT8, ExportOptions(io="uint8")), inputs)
    assert not is_current(SETTINGS, replace(inputs, record=replace(record, sha256="other")))
    assert not is_current(SETTINGS, replace(inputs, record=replace(record, labels=())))
    assert inputs.representative is not None
    calibration = replace(inputs.representative, sha256="other")
    assert not is_current(SETTINGS, replace(inputs, representative=calibration))
    header = (folder / "model_data.h").read_bytes()
    (folder / "model_data.h").write_bytes(header + b"\n")
    assert not is_current(SETTINGS, inputs)
    (folder / "model_data.h").unlink()
    assert not is_current(SETTINGS, inputs)
    (folder / "model_data.h").write_bytes(header)
    assert is_current(SETTINGS, inputs)
    (folder / "tflm.json").write_text(json.dumps({**content, "created": "now"}))
    assert not is_current(SETTINGS, inputs)


def test_the_same_model_gives_the_same_files(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    contents = []
    for _ in range(2):
        folder = package(converted, tiny, record)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    assert not list(record.folder.glob(".staging-*"))


def test_a_write_that_fails_leaves_the_earlier_files(
    converted: tuple[Path, Manifest],
    tiny: Tiny,
    record: ModelRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = package(converted, tiny, record)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path: Path, content: object) -> None:
        path.write_text("{", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_module, "write_json", full)
    path, manifest = converted
    with pytest.raises(OSError, match="No space left"):
        package((path, replace(manifest, labels=LABELS[::-1])), tiny, record)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(record.folder.glob(".staging-*"))


def test_the_benchmark_does_not_take_the_folder_for_an_export(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    folder = package(converted, tiny, record)
    (folder.parent / "tflite-int8.json").write_text("{}")
    assert find_manifests(folder.parent, None) == [folder.parent / "tflite-int8.json"]
