"""What the harness makes of workers that answer, refuse, or die."""

import sys
from pathlib import Path

import pytest

from benchmark.measure.job import Job
from benchmark.measure.process import WorkerProcess
from tests.examples import INPUT, OUTPUT, PREPROCESSING
from train.common.errors import ArtifactError


def job(folder: Path) -> Job:
    return Job(
        name="tflite-int8",
        runtime="litert",
        mode=None,
        threads=1,
        file=folder / "tflite-int8.tflite",
        inputs=(INPUT,),
        outputs=(OUTPUT,),
        preprocessing=PREPROCESSING,
        raw={"image": folder / "images.npy"},
    )


def worker(folder: Path, script: str) -> WorkerProcess:
    return WorkerProcess(job(folder), command=("/bin/sh", "-c", script))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -SEGV $$", "ended by signal 11: no message"),
        ("echo MemoryError >&2; exit 1", "ended by an exception: MemoryError"),
        ('read job; echo \'{"error": "it is no model"}\'', "it is no model"),
    ],
)
def test_a_worker_that_dies_or_refuses_says_how(tmp_path: Path, script: str, reason: str) -> None:
    with worker(tmp_path, script) as process, pytest.raises(ArtifactError, match=reason):
        process.loaded()


def test_a_worker_that_dies_later_says_how(tmp_path: Path) -> None:
    script = 'read job; echo \'{"first_result_ns": 1, "load_ms": 2}\'; read request; kill -9 $$'
    with worker(tmp_path, script) as process:
        assert process.loaded()["load_ms"] == 2
        with pytest.raises(ArtifactError, match="tflite-int8: its process ended by signal 9"):
            process.ask("time", samples=1)
        with pytest.raises(ArtifactError, match="signal 9"):
            process.ask("time", samples=1)


def test_leaving_ends_a_worker_that_hangs(tmp_path: Path) -> None:
    with worker(tmp_path, "read job; echo '{\"first_result_ns\": 1}'; sleep 1000") as process:
        process.loaded()
    assert process._process.returncode is not None


def test_a_real_worker_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "images.npy").write_bytes(b"")
    with (
        WorkerProcess(job(tmp_path)) as process,
        pytest.raises(ArtifactError, match="an exception"),
    ):
        process.loaded()


def test_a_worker_ends_when_its_harness_is_gone(tmp_path: Path) -> None:
    """Its standard input ends; it must not stay behind."""
    with WorkerProcess(
        job(tmp_path), command=(sys.executable, "-c", "input(); input()")
    ) as process:
        process._requests.close()
        with pytest.raises(ArtifactError, match="an exception: EOFError"):
            process.receive()
