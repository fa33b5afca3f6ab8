"""The command from exports to reports, with workers that are made up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import pipeline
from export.deploy.ethos_u.manifest import Made, NpuManifest, stem
from export.deploy.ethos_u.vela import Estimate
from export.manifest import Source
from tests.benchmark.measure.workers import TIMED, fake_machine
from tests.bundles import write_inputs
from tests.commands import Completed, assert_one_line_error, run_in_process
from train.common.environment import read_environment
from train.common.files.artifact import file_sha256, write_json
from train.common.reference_outputs import load_outputs


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two exports, whose workers give what the Keras model gave."""
    folder = write_inputs(tmp_path).artifacts
    fake_machine(monkeypatch, load_outputs(folder).outputs)
    return folder


def command(artifacts: Path, *arguments: str | Path) -> Completed:
    return run_in_process(
        *("benchmark", "--artifacts", artifacts, "--data", artifacts.with_name("images")),
        *("--baseline", "0", "--tolerance", "1", "--quick", *arguments),
    )


def benchmark(artifacts: Path) -> tuple[int, dict[str, Any]]:
    """Returns the exit code and what is in `benchmark.json`."""
    done = command(artifacts)
    assert done.err == ""
    return done.code, json.loads((artifacts / "benchmark.json").read_text())


def test_results_and_reports_are_left_and_nothing_else(artifacts: Path) -> None:
    before = {path.name for path in artifacts.iterdir()}
    code, found = benchmark(artifacts)
    assert code == 0
    assert [row["verdict"] for row in found["results"]] == ["pass", "pass"]
    assert found["recommendation"]["name"] == "tflite-int8"
    assert {path.name for path in artifacts.iterdir()} - before == {
        *("benchmark.json", "benchmark.csv", "benchmark.md", "benchmark.html"),
        "benchmark.card.md",
    }


def test_one_export_that_does_not_pass_is_exit_code_1(artifacts: Path) -> None:
    (artifacts / "onnx-float32.onnx").write_bytes(b"")
    code, found = benchmark(artifacts)
    assert code == 1
    assert [row["verdict"] for row in found["results"]] == ["pass", "error"]


def test_an_emulated_machine_recommends_nothing(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated = replace(read_environment(), emulated=True)
    monkeypatch.setattr(pipeline, "read_environment", lambda: emulated)
    code, found = benchmark(artifacts)
    assert code == 0
    assert found["recommendation"] is None


def test_the_outputs_of_every_row_are_kept_if_that_is_asked_for(artifacts: Path) -> None:
    assert command(artifacts, "--save-outputs").code == 0
    (expected,) = load_outputs(artifacts).outputs.values()
    with np.load(artifacts / "benchmark.outputs.npz") as found:
        assert list(found) == ["tflite-int8", "onnx-float32"]
        assert all(np.array_equal(found[name], expected) for name in found)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("file", "cannot write to the folder"),
        ("file/below", "give a writable one with --reports"),
        ("taken", "expected a file or nothing"),
    ],
)
def test_an_unwritable_report_path_is_refused_before_anything_is_measured(
    artifacts: Path, tmp_path: Path, place: str, expected: str
) -> None:
    before = {path: path.read_bytes() for path in artifacts.iterdir()}
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "benchmark.html").mkdir(parents=True)
    done = command(artifacts, "--reports", tmp_path / place)
    assert_one_line_error(done, expected)
    assert done.out == ""
    assert TIMED == []
    assert {path: path.read_bytes() for path in artifacts.iterdir()} == before
    assert (tmp_path / "file").read_text() == "mine"


def test_limits_that_no_export_meets_are_an_error_where_they_fail_the_gate(
    artifacts: Path, tmp_path: Path
) -> None:
    """The reports are there first; asked about regressions only, there is none to be said."""
    assert command(artifacts).code == 0
    earlier = artifacts.with_name("earlier.json")
    limited = ("--max-size-kb", "0.001", "--junit", tmp_path / "made" / "junit.xml")
    (artifacts / "benchmark.json").rename(earlier)
    done = command(artifacts, *limited)
    assert_one_line_error(done, "no export meets --max-size-kb 0.001")
    assert (tmp_path / "made" / "junit.xml").read_text().count("</failure>") == 2
    done = command(artifacts, *limited, "--compare", earlier, "--fail-on", "regression")
    assert_one_line_error(done, "no export meets")
    assert "2 worse verdict" in done.out
    same = artifacts / "benchmark.json"
    done = command(artifacts, *limited, "--compare", same, "--fail-on", "regression")
    assert (done.code, done.err) == (0, "")
    assert "Nothing got worse." in done.out


def test_what_was_compiled_for_npus_is_told_beside_the_rows(artifacts: Path) -> None:
    """Sound, edited and of another model: the first is told, of the others why they are not."""
    code, without = benchmark(artifacts)
    assert (code, without["npu"]) == (0, [])
    sha256 = load_outputs(artifacts).model_sha256
    for name, source in (("tflite-int8", sha256), ("tflite-int4", sha256), ("onnx-int8", "0" * 64)):
        write_compiled(artifacts, name, source)
    edited = artifacts / "ethos-u" / "tflite-int4-ethos-u55-128.json"
    edited.write_text(edited.read_text().replace("516.4", "1.4"))
    done = command(artifacts)
    assert (done.code, done.err) == (0, "")
    assert "On Arm's NPUs, as ethos-u-vela 9.9 estimates it; nothing of this was run:" in done.out
    found = json.loads((artifacts / "benchmark.json").read_text())
    assert [row["name"] for row in found["results"]] == [row["name"] for row in without["results"]]
    assert found["recommendation"]["name"] == without["recommendation"]["name"]
    sound, broken, foreign = found["npu"]
    assert (sound["format"], sound["inference_us"]) == ("tflite-int8", 516.4)
    assert "was edited since it was written" in broken["problem"]
    assert "is of another model: got 000000000000…" in foreign["problem"]


def write_compiled(artifacts: Path, made_of: str, source_sha256: str) -> None:
    folder = artifacts / "ethos-u"
    folder.mkdir(exist_ok=True)
    name = stem(made_of, "ethos-u55-128")
    file = folder / f"{name}.tflite"
    file.write_bytes(b"compiled")
    made = NpuManifest(
        path=folder / f"{name}.json",
        format="ethos-u",
        npu="ethos-u55-128",
        file=file.name,
        sha256=file_sha256(file),
        size_bytes=8,
        model=Made(format=made_of, sha256="1" * 64, size_bytes=100),
        source=Source(file="model.keras", sha256=source_sha256, accuracy=None),
        estimate=Estimate(
            by="ethos-u-vela 9.9",
            system_config="Ethos_U55_High_End_Embedded",
            memory_mode="Shared_Sram",
            clock_hz=5e8,
            inference_us=516.4,
            sram_bytes=1_136,
            flash_bytes=258_400,
            dram_bytes=0,
            npu_operators=30,
        ),
        on_cpu=(),
        checks=(),
        versions={},
        created="",
    )
    write_json(made.path, made.as_json())
