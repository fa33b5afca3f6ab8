"""A short run in a real Chromium, which the tests here share."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.remote.browser.npm import PAGE, packages_folder
from benchmark.results.compare import find_changes
from benchmark.results.read import read_run, run_of
from export.runtimes.wasm import node
from tests.benchmark.results.test_schema import assert_documented
from tests.commands import GATE, Completed, run_in_process

pytestmark = pytest.mark.slow

FORMATS = ("tflite-float32", "tflite-int8", "onnx-float32", "onnx-int8")
FLIPS = {"tflite-float32": 5, "onnx-float32": 5, "onnx-int8": 40}  # of 10,000: other kernels


@pytest.fixture(scope="module")
def run(
    trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Completed, Path]:
    if shutil.which("chromium") is None:
        assert "REQUIRE_BROWSER" not in os.environ, "chromium is not installed"
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(trained_artifacts, folder, dirs_exist_ok=True)
    done = run_in_process(
        *("benchmark", "--browser", "--artifacts", folder, "--format", ",".join(FORMATS)),
        *("--quick", "--max-seconds", "0.2", "--save-outputs", *GATE),
    )
    assert done.code == 1, done.out + done.err
    return done, folder


@pytest.fixture(scope="module")
def content(run: tuple[Completed, Path]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run[1] / "benchmark.json").read_text())
    return found


def rows(content: dict[str, Any], *, browser: bool) -> dict[str, dict[str, Any]]:
    """The rows by format, those of the browser or the others."""
    return {row["format"]: row for row in content["results"] if bool(row["browser"]) == browser}


def test_every_export_has_a_row_named_by_the_browser(content: dict[str, Any]) -> None:
    name = content["browser"]["name"]
    assert name.startswith("Chromium ")
    assert [row["name"] for row in content["results"]] == [
        *FORMATS,
        *(f"{entry} {name}" for entry in FORMATS),
    ]
    assert_documented({**content, "recommendation": {**content["recommendation"], "limits": {}}})


def test_a_browser_puts_the_images_into_the_classes_of_this_machine(
    content: dict[str, Any], run: tuple[Completed, Path]
) -> None:
    here, there = rows(content, browser=False), rows(content, browser=True)
    for name, most in FLIPS.items():
        flips = np.not_equal(here[name]["predicted"], there[name]["predicted"])
        assert flips.sum() <= most, name
        assert there[name]["verdict"] == "pass", there[name]["reasons"]
        assert there[name]["total"] == 10_000
    with np.load(run[1] / "benchmark.outputs.npz") as outputs:
        for name in ("tflite-float32", "onnx-float32"):
            difference = np.abs(outputs[there[name]["name"]] - outputs[name]).max()
            assert difference < 1e-5, name


def test_what_no_runtime_takes_is_an_error_that_says_what_would(content: dict[str, Any]) -> None:
    row = rows(content, browser=True)["tflite-int8"]
    assert row["verdict"] == "error"
    (reason,) = row["reasons"]
    assert "INT8 is not supported" in reason
    assert "`python -m export --format tflite-int8 --io float32`" in reason


def test_a_reading_spans_a_hundred_steps_of_the_clock(content: dict[str, Any]) -> None:
    assert content["browser"]["isolated"]
    assert content["browser"]["clock_step_us"] == pytest.approx(5, rel=0.05)
    for row in rows(content, browser=True).values():
        latency = row["latency_us"]
        if latency is None:
            continue
        spans_us = latency["calls_per_sample"] * latency["p50"]
        assert spans_us > 100 * content["browser"]["clock_step_us"]
        assert latency["calls_per_sample"] > 1
        assert latency["p99"] is None
        assert latency["p99_ci95"] == [None, None]
        assert latency["rounds_p50"]
        assert row["load_ms"] > 0


def test_the_table_says_where_its_rows_ran(run: tuple[Completed, Path]) -> None:
    out = run[0].out
    assert "in Chromium" in out
    assert "its clock moves by 5 µs, so a time is the mean of up to" in out
    page = (run[1] / "benchmark.html").read_text()
    assert "tflite-float32 Chromium" in page
    assert "LiteRT.js" in page
    assert "WebAssembly on one thread" in page


def test_the_recommended_export_is_one_for_this_machine(content: dict[str, Any]) -> None:
    assert content["recommendation"]["name"] in FORMATS
    assert set(content["recommendation"]["pareto"]) <= set(FORMATS)
    there = content["browser_recommendation"]
    assert there["name"] == f"{there['format']} {content['browser']['name']}"
    assert there["name"] in there["pareto"]


def test_a_newer_browser_has_the_same_rows(run: tuple[Completed, Path]) -> None:
    path = run[1] / "benchmark.json"
    name = json.loads(path.read_text())["browser"]["name"]
    newer = json.loads(path.read_text().replace(f'{name}"', 'Chromium 999"'))
    changes = find_changes(read_run(path), run_of(newer, "newer.json"))
    assert [row.kinds for row in changes.rows] == [()] * 2 * len(FORMATS)
    assert any(cause.startswith(f"browser {name}") for cause in changes.causes)


def test_the_pages_code_has_the_types_that_it_declares(
    run: tuple[Completed, Path], tmp_path: Path
) -> None:
    packages = packages_folder(development=True)
    folder = tmp_path / "page"
    shutil.copytree(PAGE, folder)
    (folder / "node_modules").symlink_to(packages)
    done = subprocess.run(
        [node(), packages / "typescript" / "bin" / "tsc", "-p", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr
