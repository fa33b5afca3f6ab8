"""Forks a worker for each file that is to be run: `python -m benchmark.measure.worker`.

A process of its own for each, because a broken file can take its runtime down with it, and
because memory and load time mean nothing in a process that has run other models. Forked, because
Python and NumPy take ten times as long to start as a small model takes to load. No runtime is
imported before the fork: ONNX Runtime starts threads when it is imported, and a thread does not
survive a fork. `process.py` has the other end of standard input, a socket.
"""

import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmark.measure.worker.memory import map_again, resident_files, resident_peak
from benchmark.measure.worker.model import LoadedModel
from benchmark.measure.worker.process import Job
from benchmark.measure.worker.timing import Clock, timer_cost_ns
from export.runtimes.keras import KerasRunner
from export.runtimes.open import open_runner
from export.runtimes.runner import ProcessRunner, Runner
from train.common.command.interrupts import end_with_parent
from train.common.environment import read_environment
from train.common.errors import MissingPackageError, ToolkitError, reason_and_remedy
from train.common.memory_limit import limit_memory, memory_limit_bytes

MAX_REQUEST_BYTES = 64
RUNTIME_MODULES = {
    "litert": "ai_edge_litert.interpreter",
    "onnxruntime": "onnxruntime",
    "keras": "keras",
}


def fork_workers(work: Callable[[socket.socket], int]) -> int:
    """Forks a worker for each request that brings files, until standard input ends; returns 0.

    The files are a connected socket and a file for the worker's complaints; the answer is its
    number. A request without files is such a number, of a worker to wait for; the answer is its
    exit code. In a worker it returns what `work`, given the socket, returns.
    """
    control = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    resident, server, alive = resident_files(), os.getpid(), set[int]()
    limit_bytes = memory_limit_bytes(read_environment().memory_bytes)
    with suppress(ConnectionError):  # its end, found below
        control.sendall(b"ready\n")
    while True:
        try:
            request, files, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 2)
        except ConnectionError:
            request, files = b"", []
        if not request:
            for worker in alive:
                os.kill(worker, signal.SIGKILL)
            return 0
        if files:
            answer = os.fork()
            if answer == 0:
                end_with_parent(server)
                limit_memory(limit_bytes)
                control.close()
                os.dup2(files[1], 2)
                os.dup2(2, 1)  # for what runtimes print
                map_again(resident)
                return work(socket.socket(fileno=files[0]))
            alive.add(answer)
            for file in files:
                os.close(file)
        else:
            alive.remove(int(request))
            answer = os.waitstatus_to_exitcode(os.waitpid(int(request), 0)[1])
        control.sendall(f"{answer}\n".encode())


def answer_requests(connection: socket.socket) -> int:
    """Answers requests until they end: a JSON object on one line for each; returns 0."""

    def answer(content: dict[str, Any]) -> None:
        connection.sendall(json.dumps(content).encode() + b"\n")

    try:
        serve(connection.makefile("r", encoding="utf-8"), answer, clock_ns=time.perf_counter_ns)
    except ModuleNotFoundError as error:
        answer({"error": str(MissingPackageError(error))})
    except ToolkitError as error:
        answer({"error": str(error)})
    except OSError as error:
        reason, remedy = reason_and_remedy(error, "give another folder with --artifacts")
        answer({"error": f"{error.filename or 'its outputs'}: {reason}; {remedy}"})
    return 0


def serve(
    requests: IO[str],
    answer: Callable[[dict[str, Any]], None],
    *,
    clock_ns: Clock,
    opener: Callable[..., Runner] = open_runner,
) -> None:
    """Loads the job of the first request, then answers the others until they end.

    Args:
        requests: lines of JSON: a job, then objects with `do`, a method of `LoadedModel`.
        answer: sends one answer.
        clock_ns: a monotonic clock in nanoseconds.
        opener: opens a runner, as `open_runner` does.

    Raises:
        ArtifactError: the runtime refuses the file, or the file is not what was declared.
    """
    started_ns = time.monotonic_ns()
    job = Job.from_json(json.loads(requests.readline()))
    raw = {name: np.load(path, mmap_mode="r") for name, path in job.raw.items()}
    import_runtime(job.runtime)
    empty_bytes = resident_peak()
    load_started = clock_ns()
    with opener(job.runtime, job.file, threads=job.threads, mode=job.mode) as runner:
        loaded = clock_ns()
        model = LoadedModel(job, runner, raw, clock_ns, answer)
        first_inference_us = model.first_inference_us()
        peak_bytes, load_ms = resident_peak(), (loaded - load_started) / 1e6
        if isinstance(runner, ProcessRunner):
            peak_bytes, empty_bytes = runner.peak_bytes, runner.empty_bytes
            load_ms = runner.load_ms
        answer(
            {
                "first_result_ns": time.monotonic_ns() - started_ns,
                "load_ms": load_ms,
                "first_inference_us": first_inference_us,
                "peak_rss_bytes": peak_bytes,
                "peak_rss_over_empty_bytes": max(0, peak_bytes - empty_bytes),
                "timer_ns": timer_cost_ns(clock_ns),
                "call": runner.call if isinstance(runner, KerasRunner) else "invoke",
            }
        )
        for line in requests:
            request = json.loads(line)
            method = getattr(model, "do_" + request.pop("do"))
            answer(method(**request))


def import_runtime(runtime: str) -> None:
    """Imports a runtime's package, so that its own memory can be told from a model's."""
    if runtime in RUNTIME_MODULES:
        importlib.import_module(RUNTIME_MODULES[runtime])


if __name__ == "__main__":
    sys.exit(fork_workers(answer_requests))
