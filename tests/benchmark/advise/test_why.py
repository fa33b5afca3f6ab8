"""Explanations, call overhead and the recommendation of real exports, by the command."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from export.verify.graph.read import read_graph
from tests.commands import GATE, Completed, assert_one_line_error, run_in_process

pytestmark = pytest.mark.slow
FORMATS = "tflite-float32,tflite-int8,tflite-int16x8,onnx-float32,onnx-int8"


@pytest.fixture(scope="module")
def ran(
    trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Completed]:
    artifacts = tmp_path_factory.mktemp("why") / "artifacts"
    shutil.copytree(trained_artifacts, artifacts)
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--quick", "--format", FORMATS),
        *(*GATE, "--max-size-kb", "60", "--max-drop", "0.02", "--objective", "size"),
    )
    return artifacts, done


@pytest.fixture(scope="module")
def results(ran: tuple[Path, Completed]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ran[0] / "benchmark.json").read_text())
    return content


@pytest.fixture(scope="module")
def rows(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in results["results"]}


def test_the_operators_in_a_file_are_in_its_manifest(trained_artifacts: Path) -> None:
    for name in FORMATS.split(","):
        manifest = json.loads((trained_artifacts / f"{name}.json").read_text())
        found = read_graph(trained_artifacts / manifest["file"]).operators
        assert manifest["operators"] == Counter(found)


def test_what_the_delegate_took(rows: dict[str, dict[str, Any]]) -> None:
    undelegated = {
        name: row["kernels"]["undelegated"]
        for name, row in rows.items()
        if row["runtime"] == "litert"
    }
    everything = rows["tflite-int16x8"]["kernels"]["operators"]
    assert undelegated["tflite-float32"] == []
    assert undelegated["tflite-int8"] == ["SOFTMAX"]
    assert undelegated["tflite-int16x8"] == everything
    (sentence,) = (
        found
        for found in rows["tflite-int16x8"]["explanations"]
        if "slower than tflite-float32" in found
    )
    assert f"XNNPACK took 0 of {len(everything)} operators" in sentence


def test_what_onnx_runtime_runs_of_a_file(rows: dict[str, dict[str, Any]]) -> None:
    run = rows["onnx-int8"]["kernels"]["operators"]
    assert "QuantizeLinear" in run  # of the input, which no operator fuses with
    assert "DequantizeLinear" not in run
    assert len(rows["onnx-float32"]["kernels"]["operators"]) > 0


def test_the_call_overhead_is_below_every_row(
    results: dict[str, Any], rows: dict[str, dict[str, Any]]
) -> None:
    assert set(results["call_overhead_us"]) == {"litert", "onnxruntime"}
    for row in rows.values():
        assert 0 < results["call_overhead_us"][row["runtime"]] < row["latency_us"]["p50"]


def test_the_smallest_within_the_limits_is_recommended(
    ran: tuple[Path, Completed], results: dict[str, Any]
) -> None:
    found, done = results["recommendation"], ran[1]
    assert done.code == 1, done.err  # the float32 files are larger than 60 kB
    assert found["name"].endswith("int8")
    assert found["limits"] == {"max_size_kb": 60, "max_drop": 0.02}
    assert found["objective"] == "size"
    assert f"* Take {found['name']}, " in done.out
    assert "slower, larger or no better than expected: --explain says why." in done.out


def test_limits_that_nothing_meets_lose_no_results(
    ran: tuple[Path, Completed], tmp_path: Path
) -> None:
    artifacts = Path(shutil.copytree(ran[0], tmp_path / "artifacts"))
    (artifacts / "benchmark.json").unlink()
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--quick", "--format", "tflite-int8,onnx-int8"),
        *(*GATE, "--max-size-kb", "20"),
    )
    assert_one_line_error(
        done, "no export meets --max-size-kb 20: the closest is tflite-int8 with ", "too much"
    )
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [row["verdict"] for row in rows] == ["fail", "fail"]
    assert "tflite-int8: fail: file of " in done.out
