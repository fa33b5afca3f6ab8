"""What the harness makes of workers that answer, refuse, or die."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmark.measure.worker.process import ForkServer, Job, WorkerProcess
from tests.examples import INPUT, OUTPUT, PREPROCESSING
from train.common.environment import read_environment
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
def worker(folder: Path, *lines: str, timeout_s: float | None = None) -> Iterator[WorkerProcess]:
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
        WorkerProcess(server, job(folder), timeout_s=timeout_s) as process,
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


def test_a_worker_that_hangs_is_ended_and_says_so_whenever_it_is_asked(tmp_path: Path) -> None:
    with worker(tmp_path, "time.sleep(1000)", timeout_s=0.1) as process:
        for _ in range(2):
            with pytest.raises(ArtifactError, match=r"no answer .* for 0 s, .* with --timeout"):
                process.loaded()
    with worker(tmp_path, LOADED, "time.sleep(1000)", timeout_s=0.1) as process:
        process.loaded()
        with pytest.raises(ArtifactError, match="tflite-int8: got no answer from its process"):
            process.ask("time", samples=1, limit_ns=10_000_000)
        process.send("time", samples=1)


def test_a_worker_that_stops_talking_but_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.measure.worker.process.DEATH_S", 0.1)
    with (
        worker(tmp_path, "connection.close()", "time.sleep(1000)") as process,
        pytest.raises(ArtifactError, match="ended by signal 9"),
    ):
        process.loaded()


def test_how_long_an_answer_may_take_follows_from_the_first_call(tmp_path: Path) -> None:
    slow = LOADED.replace('"load_ms": 2', '"first_inference_us": 5e6')
    with worker(tmp_path, slow, "while connection.recv(9999): pass") as process:
        process.send("time", samples=1, warm_up_ns=0, limit_ns=1_000_000_000)
        assert process._limit_s == 2 * 1 + 30
        process.loaded()
        process.send("outputs", path="x", core=None)
        assert process._limit_s == 2 * 4 + 20 * 5
        process.send("throughput", batch=2, limit_ns=1_000_000_000)
        assert process._limit_s == 2 * (1 + 2 * 3 * 5) + 20 * 5


def test_a_worker_that_allocates_without_end_is_an_error(tmp_path: Path) -> None:
    with (
        worker(tmp_path, "bytearray(1 << 50)") as process,
        pytest.raises(ArtifactError, match="MemoryError"),
    ):
        process.loaded()
    limit = "resource.getrlimit(resource.RLIMIT_DATA)[0]"
    lines = ["import resource", f"raise ValueError({limit})"]
    with worker(tmp_path, *lines) as process, pytest.raises(ArtifactError) as raised:
        process.loaded()
    assert 0 < int(str(raised.value).split()[-1]) <= read_environment().memory_bytes * 0.75


def test_no_worker_outlives_the_process_that_forked_it_even_killed(tmp_path: Path) -> None:
    with worker(tmp_path, LOADED, "time.sleep(1000)") as process:
        process.loaded()
        server = process._server._process
        server.kill()
        server.wait()
        process._connection.settimeout(20)
        with suppress(ConnectionResetError):  # its end of the socket is closed, one way or another
            assert process._answers.readline() == ""


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
