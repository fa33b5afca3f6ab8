"""The command from exports to reports, with workers that are made up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark import pipeline
from tests.benchmark.measure.workers import fake_machine
from tests.bundles import write_inputs
from tests.commands import run_in_process
from train.common.environment import read_environment
from train.common.record import load_outputs


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two exports, whose workers give what the Keras model gave."""
    folder = write_inputs(tmp_path).artifacts
    fake_machine(monkeypatch, load_outputs(folder).outputs)
    return folder


def benchmark(artifacts: Path) -> tuple[int, dict[str, Any]]:
    """Returns the exit code and what is in `benchmark.json`."""
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--data", artifacts.with_name("images")),
        *("--baseline", "0", "--tolerance", "1", "--quick"),
    )
    assert done.err == ""
    return done.code, json.loads((artifacts / "benchmark.json").read_text())


def test_results_and_reports_are_left_and_nothing_else(artifacts: Path) -> None:
    before = {path.name for path in artifacts.iterdir()}
    code, found = benchmark(artifacts)
    assert code == 0
    assert [row["verdict"] for row in found["results"]] == ["pass", "pass"]
    assert found["recommendation"]["name"] == "tflite-int8"
    assert {path.name for path in artifacts.iterdir()} - before == {
        *("benchmark.json", "benchmark.csv", "benchmark.md", "benchmark.html")
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
