"""Packages of a stranger's file, each in a process of its own, which the file may crash."""

import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from export.deploy.foreign.package import ForeignRequest, make_foreign
from train.common.command.interrupts import handled_interrupts
from train.common.command.progress import progress
from train.common.environment import read_environment
from train.common.errors import ToolkitError
from train.common.files.staging import temporary_folder
from train.common.memory_limit import limit_memory, memory_limit_bytes


def package_foreign(request: ForeignRequest, kinds: Sequence[str]) -> dict[str, ToolkitError]:
    """Makes packages of a file, with the progress on standard output.

    Returns:
        Why packages were not made, by kind; empty when all were.
    """
    failures: dict[str, ToolkitError] = {}
    with (
        handled_interrupts(leave_after=None),
        temporary_folder("edge-export-") as work,
        progress() as report,
    ):
        for kind in kinds:
            report.step(f"{kind}: of {request.path.name}")
            try:
                report.milestone(_made(request, kind, work))
            except ToolkitError as error:
                failures[kind] = error
                report.milestone(f"{kind:<28} FAILED")
        if len(failures) < len(kinds):
            report.milestone(f"all in {request.folder}")
    return failures


def _made(request: ForeignRequest, kind: str, work: Path) -> str:
    if sys.platform != "linux":  # where processes that have threads may not be forked
        return make_foreign(request, kind, work, datetime.now(UTC))
    # TensorFlow, which loads the model, stands still in a fork of a process that has used it
    fork, spawn = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
    context = fork if request.model is None else spawn
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(request, kind, work, sending))
    process.start()
    sending.close()
    try:
        answer: str | Exception = receiving.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise ToolkitError(
            f"{kind}: {request.path} crashes what is made of it ({name}); give another file"
        ) from None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _work(request: ForeignRequest, kind: str, work: Path, sending: Connection) -> None:
    limit_memory(memory_limit_bytes(read_environment().memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.disable()
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)  # for what runtimes say before they crash
    try:
        sending.send(make_foreign(request, kind, work, datetime.now(UTC)))
    except (ToolkitError, OSError, ModuleNotFoundError) as error:
        sending.send(error)
