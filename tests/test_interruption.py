"""Interrupted or killed at any moment, the commands leave every earlier artifact whole."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.partial import FOLDER
from export.formats import FORMATS
from export.manifest import check_file, read_manifest
from tests.conftest import GATE, REPOSITORY, assert_one_line_error, run_module
from train.artifact import file_sha256

pytestmark = pytest.mark.slow


def assert_whole(artifacts: Path) -> None:
    """Asserts that every artifact in a folder is the one that its manifest describes."""
    for name in FORMATS:
        check_file(read_manifest(artifacts / f"{name}.json"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
@pytest.mark.parametrize("moment", ["loading the model", "tflite-int8: converting"])
def test_an_interrupted_export_leaves_every_artifact_whole(
    artifacts: Path, number: signal.Signals, code: int, moment: str
) -> None:
    process = start("export", "--format", "all", "--force", "--artifacts", artifacts)
    wait_for(process, moment)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.splitlines() == ["interrupted: nothing half-written, earlier artifacts untouched"]
    assert_whole(artifacts)
    assert not list(artifacts.glob(".staging-*"))


@pytest.mark.parametrize("delay_s", [0.0, 0.3])
def test_a_killed_export_leaves_every_artifact_whole(artifacts: Path, delay_s: float) -> None:
    process = start("export", "--format", "all", "--force", "--artifacts", artifacts)
    wait_for(process, "tflite-float16: converting")
    time.sleep(delay_s)
    process.kill()
    process.communicate(timeout=60)
    assert_whole(artifacts)
    again = run_module("export", "--format", "tflite-int8", "--force", "--artifacts", artifacts)
    assert again.code == 0, again.err
    assert not list(artifacts.glob(".staging-*"))


def test_an_interrupted_training_leaves_the_earlier_model(artifacts: Path) -> None:
    before = file_sha256(artifacts / "model.keras")
    process = start("train", "--recipe", "notebook", "--units", "32", "--artifacts", artifacts)
    wait_for(process, "epoch 2/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines() == ["interrupted: nothing half-written, earlier artifacts untouched"]
    assert file_sha256(artifacts / "model.keras") == before
    assert not list(artifacts.glob(".staging-*"))
    exported = run_module("export", "--format", "tflite-int8", "--force", "--artifacts", artifacts)
    assert exported.code == 0, exported.err


@pytest.mark.parametrize(
    "options",
    [
        ("--tuner", "grid", "--search-epochs", "1", "--units", "32"),
        ("--tuner", "hyperband", "--search-epochs", "2", "--units", "32"),
    ],
)
def test_a_killed_search_goes_on_with_the_running_trial(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    plain = ("--recipe", "notebook", "--epochs", "1")
    arguments: tuple[str | Path, ...] = (*options, *plain, "--artifacts", tmp_path)
    process = start("train", *arguments)
    wait_for(process, "search: trial 2")
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "model.keras").exists()
    done = run_module("train", *arguments, "--resume")
    assert done.code == 0, done.err
    assert done.err == ""
    assert "search: trial 1," not in done.out
    assert "search: trial 2," in done.out
    trials = json.loads((tmp_path / "model.json").read_text())["search"]["trials"]
    assert [trial["trial"] for trial in trials] == list(range(1, len(trials) + 1))
    assert {trial["status"] for trial in trials} == {"COMPLETED"}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("tflite-int8+xnnpack+1t: 10,000 images", signal.SIGINT),
        ("timing, round 3", signal.SIGTERM),
        ("tflite-int8+xnnpack+1t: loading", signal.SIGKILL),
        ("timing, round 2", signal.SIGKILL),
    ],
)
def test_a_benchmark_that_is_cut_off_keeps_the_earlier_results_and_goes_on(
    artifacts: Path, moment: str, number: signal.Signals
) -> None:
    arguments = ("--artifacts", artifacts, "--format", "tflite-float32,tflite-int8", *GATE)
    run_module("benchmark", *arguments, "--quick")
    before = file_sha256(artifacts / "benchmark.json")
    process = start("benchmark", *arguments)
    wait_for(process, moment)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        (line,) = err.splitlines()
        assert line.startswith("interrupted: nothing half-written, earlier artifacts untouched; ")
        assert "`python -m benchmark --resume` goes on" in line
    assert file_sha256(artifacts / "benchmark.json") == before
    assert not list(artifacts.glob(".staging-*")) or number == signal.SIGKILL

    other = run_module("benchmark", *arguments, "--resume", "--samples", "2000")
    assert_one_line_error(other, "cannot resume", "another settings", "without --resume")
    kept = {path.name: path.read_bytes() for path in (artifacts / FOLDER).glob("*+1t.*")}
    rounds = {path.name: path.read_bytes() for path in (artifacts / FOLDER).glob("round-*")}
    assert "loading" in moment or "images" in moment or rounds
    resumed = run_module("benchmark", *arguments, "--resume")
    assert resumed.code == 0, resumed.err
    for name in kept:
        if name.endswith(".npy"):
            assert f"{name.removesuffix('.npy')}: 10,000 images" not in resumed.out
    for name in rounds:
        number_of = int(name.removeprefix("round-").removesuffix(".json"))
        assert f"timing, round {number_of + 1}\n" not in resumed.out
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [row["verdict"] for row in rows] == ["pass", "pass"]
    assert all(sum(map(len, row["rounds_ns"])) >= 10_000 for row in rows)
    assert not (artifacts / FOLDER).exists()


def test_a_row_whose_process_dies_while_timed_is_an_error_and_the_others_go_on(
    artifacts: Path,
) -> None:
    arguments = ("--artifacts", artifacts, "--format", "tflite-float32,tflite-int8", *GATE)
    # slices so long that the worker dies within one of them
    process = start("benchmark", *arguments, "--samples", "1000000")
    wait_for(process, "tflite-int8+xnnpack+1t: timing, round 2")
    workers = subprocess.run(
        ["pgrep", "--parent", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(workers.stdout.split()[-1]), signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [row["verdict"] for row in rows] == ["pass", "error"]
    assert "its process ended by signal 9" in rows[1]["reasons"][0]


def start(module: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", module, *map(str, arguments)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} never came")
