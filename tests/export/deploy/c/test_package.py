"""The set of files, its manifest, and what a benchmark makes of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.deploy.c.again import built_apart
from export.deploy.c.emit import emit as emit_source
from export.deploy.c.package import FOLDER, is_current, make_package
from export.deploy.c.proof import provable
from export.deploy.c.steps.weights.packing import SIZE, SPEED
from export.formats.settings import ExportOptions
from export.manifest import Manifest, read_manifest
from export.runtimes.open import open_runner
from export.runtimes.predict import encode_all, predict
from tests.export.conftest import Tiny, settings_of
from tests.export.deploy.conftest import INT8, NOW, SETTINGS, inputs_of
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import file_sha256, write_json
from train.common.record import ModelRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord) -> Path:
    """The files that were made, beside the export that they were made of."""
    path, manifest = converted
    shutil.copy(path, manifest.artifact_path)
    write_json(manifest.path, manifest.as_json())
    told = make_package(path, manifest, tiny.expected.inputs, record, NOW, provable=provable)
    assert "the same bytes as LiteRT's reference kernels" in told
    return record.folder / FOLDER


def test_it_is_current_until_something_changes(
    folder: Path, tiny: Tiny, record: ModelRecord
) -> None:
    inputs = inputs_of(tiny, record)
    assert {path.name for path in folder.iterdir()} == {"model.c", "model.h", "c.json"}
    assert is_current(INT8.name, SIZE, SETTINGS, inputs)
    assert not is_current("tflite-int4", SIZE, SETTINGS, inputs)
    assert not is_current(INT8.name, SPEED, SETTINGS, inputs)
    assert not is_current(INT8.name, SIZE, settings_of(INT8, ExportOptions(io="uint8")), inputs)
    assert not is_current(
        INT8.name, SIZE, SETTINGS, replace(inputs, record=replace(record, labels=()))
    )
    (folder / "model.h").write_text("")
    assert not is_current(INT8.name, SIZE, SETTINGS, inputs)


def test_the_benchmark_runs_what_it_makes_again_and_nothing_else(
    folder: Path, tiny: Tiny, tmp_path: Path
) -> None:
    manifest = read_manifest(folder / "c.json")
    library = built_apart(manifest.path, tmp_path / "built")
    origin = folder.parent / f"{INT8.name}.tflite"
    results = []
    for runtime, path in (("c", library), ("litert", origin)):
        with open_runner(runtime, path, threads=1) as runner:
            assert runner.inputs == manifest.inputs
            values = encode_all(tiny.expected.inputs, runner.inputs)
            results.append(predict(runner, tiny.expected.inputs)["probabilities"])
            assert len(results[-1]) == len(values)
    # LiteRT's default kernels round otherwise than the reference kernels, by a step at most.
    assert np.abs(results[0] - results[1]).max() <= 1.01 / 256
    with (folder / "model.c").open("a") as file:
        file.write("/* a stranger's */\n")
    with pytest.raises(ArtifactError, match=r"model\.c is not what tflite-int8\.tflite makes"):
        built_apart(manifest.path, tmp_path / "other")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("byte", r"10 of \d+ output bytes differ|output bytes differ"),
        ("compiler", "failed: .*broken"),
        ("none", "got no C compiler .* install gcc"),
    ],
)
def test_what_is_not_proven_is_not_written(
    fault: str,
    said: str,
    folder: Path,
    tiny: Tiny,
    record: ModelRecord,
    converted: tuple[Path, Manifest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    emitted = emit_source

    def emit(*arguments: object) -> tuple[str, str]:
        header, source = emitted(*arguments)  # type: ignore[arg-type]
        wrong = source.replace("+ to->zero", "+ to->zero + 1")
        return header, wrong if fault == "byte" else source + "\n#error broken\n"

    if fault == "none":
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.delenv("CC", raising=False)
    else:
        monkeypatch.setattr("export.deploy.c.package.emit", emit)
    with pytest.raises(ToolkitError, match=said):
        make_package(*converted, tiny.expected.inputs, record, NOW, provable=provable)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_float_file_is_refused_in_one_line(
    tiny: Tiny, record: ModelRecord, converted: tuple[Path, Manifest]
) -> None:
    made = tiny.made("tflite-float32")
    path, manifest = converted
    shutil.copy(made.path, path)
    other = replace(manifest, sha256=file_sha256(path))
    with pytest.raises(ArtifactError, match=r"^c: got .* of float32, expected an integer file"):
        make_package(path, other, tiny.expected.inputs, record, NOW, provable=provable)
    assert not (record.folder / FOLDER).exists()
    assert json.loads(json.dumps(other.as_json()))
