"""Forks a worker for each file that is to be run: `python -m benchmark.measure.worker`.

A process of its own for each, because a broken file can take its runtime down with it, and
because memory and load time mean nothing in a process that has run other models. Forked, because
Python and NumPy take ten times as long to start as a small model takes to load. No runtime is
imported before the fork: ONNX Runtime starts threads when it is imported, and a thread does not
survive a fork. `process.py` has the other end of standard input, a socket.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.measure.worker.memory import map_again, resident_files
from benchmark.measure.worker.model import serve
from train.common.errors import MissingPackageError, ToolkitError

MAX_REQUEST_BYTES = 64


def fork_workers(work: Callable[[socket.socket], int]) -> int:
    """Forks a worker for each request that brings files, until standard input ends; returns 0.

    The files are a connected socket and a file for the worker's complaints; the answer is its
    number. A request without files is such a number, of a worker to wait for; the answer is its
    exit code. In a worker it returns what `work`, given the socket, returns.
    """
    control = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    resident = resident_files()
    control.sendall(b"ready\n")
    while True:
        request, files, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 2)
        if not request:
            return 0
        if files:
            answer = os.fork()
            if answer == 0:
                control.close()
                os.dup2(files[1], 2)
                os.dup2(2, 1)  # for what runtimes print
                map_again(resident)
                return work(socket.socket(fileno=files[0]))
            for file in files:
                os.close(file)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(int(request), 0)[1])
        control.sendall(f"{answer}\n".encode())


def answer_requests(connection: socket.socket) -> int:
    """Answers requests until they end: a JSON object on one line for each; returns 0."""

    def answer(content: dict[str, Any]) -> None:
        connection.sendall(json.dumps(content).encode() + b"\n")

    try:
        serve(connection.makefile("r"), answer, clock_ns=time.perf_counter_ns)
    except ModuleNotFoundError as error:
        answer({"error": str(MissingPackageError(error))})
    except ToolkitError as error:
        answer({"error": str(error)})
    return 0


if __name__ == "__main__":
    sys.exit(fork_workers(answer_requests))
