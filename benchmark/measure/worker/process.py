"""Workers as the harness sees them: a job and requests in, answers out, dead or alive."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from train.common.errors import ArtifactError
from train.common.files.decode import Decoder
from train.common.preprocessing import Preprocessing
from train.common.tensors import TensorSpec

COMMAND = (sys.executable, "-m", "benchmark.measure.worker")
REPOSITORY = Path(__file__).resolve().parents[3]
# How long a worker may take: to start, to load a model and call it once, to make another call,
# that the longest of some seconds or so many times the first.
START_S = 120.0
LOAD_S = 600.0
CALL_S = 30.0
FIRST_CALLS = 20
# What requests take by themselves; others say it in their arguments.
REQUESTS_S = {"outputs": 4.0, "experiments": 30.0, "kernels": 10.0, "profile": 20.0}
DEATH_S = 10.0  # from the end of what a worker says to its own end


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is to load.

    Attributes:
        name: the format, for messages.
        runtime: the runtime that runs the file.
        mode: how, as in `export.runtimes.open.MODES`; None for the default.
        threads: how many threads the runtime may use.
        file: the exported file.
        inputs: the inputs that the file must have; None to take them as they are.
        outputs: the same of the outputs.
        renamed: whether the file may have other names for them, in the same order.
        preprocessing: what turns raw values into inputs, by the input's name.
        raw: an `.npy` file of raw test values, (N, …), by the input's name.
    """

    name: str
    runtime: str
    mode: str | None
    threads: int
    file: Path
    inputs: tuple[TensorSpec, ...] | None
    outputs: tuple[TensorSpec, ...] | None
    renamed: bool = False
    preprocessing: Mapping[str, Preprocessing]
    raw: Mapping[str, Path]

    def as_json(self) -> dict[str, Any]:
        """Returns the job as a JSON object."""
        raw = {name: str(path) for name, path in self.raw.items()}
        return {**asdict(self), "file": str(self.file), "raw": raw}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Job":
        """Returns the job that `as_json` wrote."""
        return Decoder(remedy="run it again").decode(cls, fields, "a worker's job")


class ForkServer:
    """A running `python -m benchmark.measure.worker`; leaving the context ends it."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Starts the process and waits until it can fork.

        Raises:
            ArtifactError: it died.
        """
        search_path = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._control, other_end = socket.socketpair()
        started_ns = time.monotonic_ns()
        with other_end:
            self._process = subprocess.Popen(
                command,
                stdin=other_end.fileno(),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
                start_new_session=True,  # Ctrl-C is the harness's; a worker ends with its socket
            )
        self._answers = self._control.makefile("r", encoding="utf-8")
        self._lock = threading.Lock()
        self._exit_codes: dict[int, int] = {}
        starting = threading.Timer(START_S, self._process.kill)
        starting.start()
        try:
            self._receive()
        except (ArtifactError, KeyboardInterrupt):
            self._close()
            raise
        finally:
            starting.cancel()
        self.start_ns = time.monotonic_ns() - started_ns

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._control.close()

    def fork(self, connection: socket.socket, errors: int) -> int:
        """Forks a worker with a socket and a file for its complaints; returns its process id."""
        with self._lock:
            with suppress(BrokenPipeError):
                socket.send_fds(self._control, [b"fork"], [connection.fileno(), errors])
            return self._receive()

    def exit_code(self, pid: int) -> int:
        """Waits for a worker to end and returns its exit code, negative for a signal."""
        with self._lock:
            if pid not in self._exit_codes:
                with suppress(BrokenPipeError):
                    self._control.sendall(str(pid).encode())
                self._exit_codes[pid] = self._receive()
            return self._exit_codes[pid]

    def kill(self, pid: int) -> None:
        """Kills a worker unless it has ended, when its number may be another process's."""
        if pid not in self._exit_codes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _receive(self) -> int:
        line = self._answers.readline()
        if not line:
            code = self._process.wait()
            raise ArtifactError(f"the process that starts workers ended with exit code {code}")
        return 0 if line == "ready\n" else int(line)


class WorkerProcess:
    """A worker; leaving the context ends it."""

    def __init__(self, server: ForkServer, job: Job, *, timeout_s: float | None = None) -> None:
        """Starts it and sends it its job.

        Args:
            server: what forks it.
            job: what it is to load.
            timeout_s: how long it may take to load that, and to call it once more; None to go by
                what models and their first calls usually take.

        Raises:
            ArtifactError: the server died.
        """
        self._name = job.name
        self._timeout_s = timeout_s
        self._limit_s = timeout_s or LOAD_S
        self._first_call_s = 0.0
        self._problem: str | None = None
        self._server = server
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving
        self._connection, other_end = socket.socketpair()
        with other_end:
            self._pid = server.fork(other_end, self._errors.fileno())
        self._answers = self._connection.makefile("r", encoding="utf-8")
        self._write(job.as_json())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.kill(self._pid)
        with suppress(ArtifactError):  # the server is dead, and nobody waits for its workers
            self._server.exit_code(self._pid)
        self._answers.close()
        self._connection.close()
        self._errors.close()

    def loaded(self) -> dict[str, Any]:
        """Waits for the model and returns what loading it took.

        Raises:
            ArtifactError: the worker refused the export, or died.
        """
        found = self.receive()
        self._first_call_s = found.get("first_inference_us", 0.0) / 1e6
        first_result_ns = self._server.start_ns + found.pop("first_result_ns")
        return {"start_to_first_result_ms": first_result_ns / 1e6, **found}

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request and returns its answer.

        Raises:
            ArtifactError: the worker refused, or died.
        """
        self.send(do, **arguments)
        return self.receive()

    def send(self, do: str, **arguments: Any) -> None:
        """Sends a request; `receive` returns its answer."""
        own_s = REQUESTS_S.get(do, 0.0) + arguments.get("batch", 0) * 3 * self._first_call_s
        own_s += sum(value for name, value in arguments.items() if name.endswith("_ns")) / 1e9
        call_s = self._timeout_s or max(CALL_S, FIRST_CALLS * self._first_call_s)
        self._limit_s = 2 * own_s + call_s
        self._write({"do": do, **arguments})

    def receive(self) -> dict[str, Any]:
        """Waits for one answer.

        Raises:
            ArtifactError: the worker refused, died, or took too long and was ended.
        """
        if self._problem is not None:
            raise ArtifactError(self._problem)
        self._connection.settimeout(self._limit_s)
        try:
            line = self._answers.readline()
        except ConnectionResetError:
            line = ""
        except TimeoutError:
            self._server.kill(self._pid)
            self._problem = (
                f"{self._name}: got no answer from its process for {self._limit_s:.0f} s, so it "
                "was ended; give it longer with --timeout, or make the file again"
            )
            raise ArtifactError(self._problem) from None
        if not line:
            raise ArtifactError(f"{self._name}: its process ended by {self._death()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ArtifactError(answer["error"])
        return answer

    def _write(self, content: dict[str, Any]) -> None:
        with suppress(BrokenPipeError, TimeoutError):  # it died or hangs; `receive` says so
            self._connection.sendall(json.dumps(content).encode() + b"\n")

    def _death(self) -> str:
        hanging = threading.Timer(DEATH_S, self._server.kill, (self._pid,))
        hanging.start()
        code = self._server.exit_code(self._pid)
        hanging.cancel()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")
        last = (text.strip().splitlines() or ["no message"])[-1]
        return f"{f'signal {-code}' if code < 0 else 'an exception'}: {last}"
