"""What the harness makes of workers that answer, refuse, or die."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.measure.worker.process import ForkServer, Job, WorkerProcess
from tests.examples import INPUT, OUTPUT, PREPROCESSING
from train.common.errors import ArtifactError

LOADED = """connection.sendall(b'{"first_result_ns": 1000000, "load_ms": 2}\\n')"""


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


@contextmanager
def worker(folder: Path, *lines: str) -> Iterator[WorkerProcess]:
    """A worker that does something else than to load a model and answer requests."""
    script = [
        "import os, signal, sys, time",
        "from benchmark.measure.worker.__main__ import fork_workers",
        "def work(connection):",
        *(f"    {line}" for line in lines),
        "sys.exit(fork_workers(work))",
    ]
    with (
        ForkServer(command=(sys.executable, "-c", "\n".join(script))) as server,
        WorkerProcess(server, job(folder)) as process,
    ):
        yield process


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["os.kill(os.getpid(), signal.SIGSEGV)"], "ended by signal 11: no message"),
        (["raise MemoryError"], "ended by an exception: MemoryError"),
        (["""connection.sendall(b'{"error": "it is no model"}\\n')"""], "it is no model"),
    ],
)
def test_a_worker_that_dies_or_refuses_says_how(
    tmp_path: Path, lines: list[str], reason: str
) -> None:
    with worker(tmp_path, *lines) as process, pytest.raises(ArtifactError, match=reason):
        process.loaded()


def test_a_worker_that_dies_later_says_how(tmp_path: Path) -> None:
    lines = ["connection.recv(9999)", LOADED, "connection.recv(9999)", "os.kill(os.getpid(), 9)"]
    with worker(tmp_path, *lines) as process:
        found = process.loaded()
        assert found["load_ms"] == 2
        assert found["start_to_first_result_ms"] > 1
        with pytest.raises(ArtifactError, match="tflite-int8: its process ended by signal 9"):
            process.ask("time", samples=1)
        with pytest.raises(ArtifactError, match="signal 9"):
            process.ask("time", samples=1)


def test_leaving_ends_a_worker_that_hangs(tmp_path: Path) -> None:
    with worker(tmp_path, LOADED, "time.sleep(1000)") as process:
        process.loaded()
        running = Path("/proc", str(process._pid))
        assert running.exists()
    assert not running.exists()


def test_a_real_worker_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "images.npy").write_bytes(b"")
    with (
        ForkServer() as server,
        WorkerProcess(server, job(tmp_path)) as process,
        pytest.raises(ArtifactError, match="an exception"),
    ):
        process.loaded()


def test_a_worker_ends_when_its_harness_is_gone(tmp_path: Path) -> None:
    """Its requests end; it must not stay behind."""
    with worker(tmp_path, "while connection.recv(9999): pass", "raise EOFError") as process:
        process._connection.shutdown(1)
        with pytest.raises(ArtifactError, match="an exception: EOFError"):
            process.receive()


def test_a_server_that_cannot_start_says_so() -> None:
    with pytest.raises(ArtifactError, match="starts workers ended with exit code 3"):
        ForkServer(command=(sys.executable, "-c", "raise SystemExit(3)"))
