"""Every fault that the benchmark must catch, planted in a real export and sealed to hide it.

Files come out of the real converters, or are real files with a few bytes changed, and their
manifests fit them in hash, size and tensors: all that is left to notice is what an export does.
Each fault is a row of one folder, and the benchmark runs once over all of them.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from export.convert.job.job import ReferenceJob
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.model.load import load_model
from export.pipeline import ExportConfig, export_formats
from tests.benchmark.faults import (
    BROKEN_PROMISES,
    CONTROLS,
    FAULTS,
    FLOAT,
    INT8,
    ONNX,
    PRUNED,
    UNCHECKED,
    UNRECORDED,
    Fault,
    Folders,
    bytes_of,
    plant,
    rows_of,
    update,
)
from tests.commands import GATE, OF_ALL, run_in_process
from train.common.command.progress import progress
from train.data import fashion_mnist as dataset

pytestmark = pytest.mark.slow


def benchmark(artifacts: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Returns the exit code and the rows by their format."""
    done = run_in_process("benchmark", "--artifacts", artifacts, "--quick", *GATE, *arguments)
    results = json.loads((artifacts / "benchmark.json").read_text())["results"]
    return done.code, {row["format"]: row for row in results}


@pytest.fixture(scope="module")
def folders(
    trained_artifacts: Path, retrained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Folders:
    job = ReferenceJob(artifacts=trained_artifacts)
    loaded = load_model(job.request)
    inputs = job.conversion_inputs(loaded.inputs, loaded.outputs, tmp_path_factory.mktemp("faults"))
    return Folders(
        honest=trained_artifacts, stale=retrained_artifacts, loaded=loaded, inputs=inputs
    )


@pytest.fixture(scope="module")
def results(folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    rows = tmp_path_factory.mktemp("rows")
    for model in folders.honest.glob("model.*"):
        shutil.copy(model, rows)
    planted = rows_of(CONTROLS | FAULTS)
    for name, (like, fault) in planted.items():
        plant(name, like, fault, folders, rows)
    code, found = benchmark(rows)
    assert code == 1
    assert found.keys() == planted.keys()
    return found


def test_untouched_exports_pass(artifacts: Path) -> None:
    code, found = benchmark(artifacts, "--format", ",".join((FLOAT, INT8, PRUNED, ONNX)))
    assert (code, [row["verdict"] for row in found.values()]) == (0, ["pass"] * 4)


@pytest.mark.parametrize("row", rows_of(CONTROLS))
def test_planting_alone_breaks_nothing(row: str, results: dict[str, Any]) -> None:
    assert (results[row]["verdict"], results[row]["reasons"]) == ("pass", [])


@pytest.mark.parametrize("row", rows_of(FAULTS))
def test_a_fault_is_caught_and_named(row: str, results: dict[str, Any]) -> None:
    _, fault = rows_of(FAULTS)[row]
    reasons = "\n".join(results[row]["reasons"])
    assert results[row]["verdict"] in ("fail", "error"), reasons
    assert re.search(fault.symptom, reasons), reasons


def test_a_file_of_another_type_than_its_name_promises_is_an_error(
    folders: Folders, tmp_path: Path
) -> None:
    for model in folders.honest.glob("model.*"):
        shutil.copy(model, tmp_path)
    for like, other in BROKEN_PROMISES.items():
        edit = update(options={"io_dtype": "float32"}) if like == INT8 else UNRECORDED
        plant(like, like, Fault((like,), "", bytes_of(other), edit), folders, tmp_path)
    code, found = benchmark(tmp_path)
    assert (code, set(found)) == (1, set(BROKEN_PROMISES))
    for like, row in found.items():
        assert row["verdict"] == "error", like
        assert f"is not what {like} promises" in row["reasons"][0]


@pytest.mark.parametrize("number", range(len(UNCHECKED)))
def test_without_recorded_checks_a_format_has_limits_of_its_own(
    number: int, folders: Folders, tmp_path: Path
) -> None:
    for model in folders.honest.glob("model.*"):
        shutil.copy(model, tmp_path)
    for like, file in UNCHECKED[number].items():
        plant(like, like, Fault((like,), "", file, UNRECORDED), folders, tmp_path)
    _, found = benchmark(tmp_path)
    assert found.keys() == UNCHECKED[number].keys()
    assert {like: row["verdict"] for like, row in found.items()} == dict.fromkeys(found, "fail")


@pytest.mark.parametrize("name", ["other-weights", "swapped", "saturated", "calibrated-on-noise"])
def test_sound_inputs_are_not_blamed(name: str, results: dict[str, Any]) -> None:
    for row in rows_of({name: FAULTS[name]}):
        assert "with its inputs" not in "\n".join(results[row]["reasons"])


def test_exports_of_an_older_model_are_errors(folders: Folders, tmp_path: Path) -> None:
    code, found = benchmark(Path(shutil.copytree(folders.stale, tmp_path / "stale")))
    assert (code, list(found)) == (1, OF_ALL)
    for row in found.values():
        assert row["verdict"] == "error"
        assert "was made from another model: got source" in row["reasons"][0]


def test_a_real_export_calibrated_on_test_images_is_an_error(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "load_train", dataset.load_test)
    formats = [FORMATS[INT8]]
    with progress() as report:
        job = ReferenceJob(artifacts=artifacts)
        config = ExportConfig(job=job, formats=formats, options=ExportOptions())
        assert export_formats(config, report) == {}
    code, found = benchmark(artifacts, "--format", INT8)
    assert (code, found[INT8]["verdict"]) == (1, "error")
    assert "test data overlaps the calibration set: 500 of its 500" in found[INT8]["reasons"][0]
