"""Interrupted or killed at any moment, the commands leave every earlier artifact whole."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.formats import FORMATS
from export.manifest import check_file, read_manifest
from tests.conftest import GATE, REPOSITORY, run_module
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
    process = start("train", "--units", "32", "--learning-rate", "1e-3", "--artifacts", artifacts)
    wait_for(process, "epoch 2/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert file_sha256(artifacts / "model.keras") == before
    exported = run_module("export", "--format", "tflite-int8", "--force", "--artifacts", artifacts)
    assert exported.code == 0, exported.err


def test_an_interrupted_benchmark_keeps_the_earlier_results(
    artifacts: Path,
) -> None:
    run_module("benchmark", "--artifacts", artifacts, "--samples", "1000", *GATE)
    before = file_sha256(artifacts / "benchmark.json")
    process = start("benchmark", "--artifacts", artifacts, "--samples", "1000000")
    wait_for(process, "tflite-float16")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines() == ["interrupted: nothing half-written, earlier artifacts untouched"]
    assert file_sha256(artifacts / "benchmark.json") == before


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
