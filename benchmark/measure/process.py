"""A worker process as the harness sees it: requests in, answers out, dead or alive. Light."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from benchmark.measure.job import Job
from train.common.errors import ArtifactError

COMMAND = (sys.executable, "-m", "benchmark.measure.worker")
REPOSITORY = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """A running `python -m benchmark.worker`; leaving the context ends it."""

    def __init__(self, job: Job, command: Sequence[str] = COMMAND) -> None:
        """Starts the process and sends it its job."""
        self._name = job.name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving
        search_path = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._started_ns = time.monotonic_ns()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
            start_new_session=True,  # Ctrl-C is the harness's; a worker ends with its pipe
        )
        self._requests = cast(IO[str], self._process.stdin)
        self._answers = cast(IO[str], self._process.stdout)
        self._write(job.as_json())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers, self._errors):
            with suppress(BrokenPipeError):  # what a dead worker did not read
                stream.close()

    def loaded(self) -> dict[str, Any]:
        """Waits for the model and returns what loading it took.

        Raises:
            ArtifactError: the worker refused the export, or died.
        """
        found = self.receive()
        first_result_ns = found.pop("first_result_ns") - self._started_ns
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
        self._write({"do": do, **arguments})

    def receive(self) -> dict[str, Any]:
        """Waits for one answer.

        Raises:
            ArtifactError: the worker refused, or died.
        """
        line = self._answers.readline()
        if not line:
            raise ArtifactError(f"{self._name}: its process ended by {self._death()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ArtifactError(answer["error"])
        return answer

    def _write(self, content: dict[str, Any]) -> None:
        try:
            self._requests.write(json.dumps(content) + "\n")
            self._requests.flush()
        except BrokenPipeError:
            pass  # it died; `receive` says how

    def _death(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")
        last = (text.strip().splitlines() or ["no message"])[-1]
        return f"{f'signal {-code}' if code < 0 else 'an exception'}: {last}"
