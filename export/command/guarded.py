"""An export in a process of its own: a converter that crashes costs its format, not all of them.

TensorFlow's converter and quantizers abort the process on some models, or read memory that is not
theirs. The process is forked before TensorFlow is loaded, as one that has started threads may not
be; after a crash another one goes on with the formats that are left.
"""

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from export.model.reason import last_error, tell_before_each_attempt
from export.pipeline import EXPLAIN, ExportConfig, Watch, export_formats
from train.common.command.interrupts import SIGNALS, end_with_parent, handled_interrupts
from train.common.command.native_output import keep_native_output
from train.common.command.progress import Progress, progress
from train.common.errors import ToolkitError
from train.common.files.staging import clear_up, temporary_folder


@dataclass(kw_only=True)
class _Run:
    """What a process said of its export.

    Attributes:
        wanted: the format that it was at; empty before the first.
        made: what it was making for that: the same, or a simpler one to advise.
        what: what it was attempting, in words.
        ended: the formats that are made or have failed.
        failures: why, by name.
        error: what it raised instead of going on.
    """

    wanted: str = ""
    made: str = ""
    what: str = ""
    ended: set[str] = field(default_factory=set)
    failures: dict[str, ToolkitError] = field(default_factory=dict)
    error: Exception | None = None

    def crashed(self, code: int, log: str) -> ToolkitError:
        """Returns the error of a process that ended with an exit code, a signal's below 0."""
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        why = last_error(log)
        if code == -signal.SIGKILL:
            why = "killed, as the system does when memory runs out"
        what = self.what or f"{self.wanted or 'the export'} could not be made"
        return ToolkitError(f"{what}: it crashed ({name}{f': {why}' if why else ''})")


def export_guarded(config: ExportConfig) -> dict[str, ToolkitError]:
    """Does what `export_formats` does, with the progress on standard output.

    In this process where another one cannot be forked safely: not on Linux, or where there are
    threads.
    """
    alone = threading.active_count() == 1 and "tensorflow" not in sys.modules
    if sys.platform != "linux" or not alone:
        with progress() as report:
            return export_formats(config, report)
    failures: dict[str, ToolkitError] = {}
    crashed: dict[str, ToolkitError] = {}
    with handled_interrupts(leave_after=None), temporary_folder("edge-export-") as folder:
        while True:
            run, crash = _run(config, crashed, folder)
            failures |= run.failures
            if crash is None:
                return failures
            if not run.wanted:
                raise crash
            if run.made and run.made not in crashed:
                crashed[run.made] = crash  # the next one advises what can be made instead
            else:
                failures[run.wanted] = crash
                run.ended.add(run.wanted)
            left = [entry for entry in config.formats if entry.name not in run.ended]
            config = replace(
                config,
                formats=left,
                packages=[each for each in config.packages if each.name not in run.ended],
                explain=None if EXPLAIN in run.ended else config.explain,
            )


def _run(
    config: ExportConfig, crashed: Mapping[str, ToolkitError], folder: Path
) -> tuple[_Run, ToolkitError | None]:
    """Exports in a process of its own; returns what it said, and the error if it crashed."""
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)
    run = _Run()
    with (
        tempfile.TemporaryFile(buffering=0) as log,
        tempfile.TemporaryFile(buffering=0) as errors,
    ):
        arguments = (config, crashed, sending, log, errors, folder, os.getpid())
        process = fork.Process(target=_export, args=arguments)
        process.start()
        sending.close()
        is_over = False
        try:
            with progress() as report:
                while not is_over:
                    try:
                        _take(receiving.recv(), run, report)
                    except (EOFError, OSError):  # it has ended, perhaps within a message
                        is_over = True
        finally:
            if not is_over:
                process.kill()
            process.join()
            if process.exitcode:
                clear_up(config.job.artifacts)
        if run.error is not None:
            raise run.error
        if not process.exitcode:
            return run, None
        if process.exitcode > 0:  # a fault of ours, whose traceback is wanted
            sys.stderr.write(_text(errors))
        return run, run.crashed(process.exitcode, _text(log))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _take(message: tuple[Any, ...], run: _Run, report: Progress) -> None:
    match message:
        case "step", text, share:
            report.step(text, share)
        case "milestone", text:
            report.milestone(text)
        case "attempting", text:
            run.what = text
        case "making", wanted, made:
            run.wanted, run.made = wanted, made
        case "ended", name, error:
            run.ended.add(name)
            if error is not None:
                run.failures[name] = error
        case "raised", error:
            run.error = error


class _Sent:
    """Progress, told to the process that shows it."""

    def __init__(self, sending: Connection) -> None:
        self._sending = sending

    def step(self, text: str, share: float | None = None) -> None:
        self._sending.send(("step", text, share))

    def milestone(self, text: str) -> None:
        self._sending.send(("milestone", text))


def _export(
    config: ExportConfig,
    crashed: Mapping[str, ToolkitError],
    sending: Connection,
    log: IO[bytes],
    errors: IO[bytes],
    folder: Path,
    parent: int,
) -> None:
    """Exports, and sends what it does, to the process that waits and that an interrupt ends.

    What else is written to standard error is no one's: TensorFlow, XLA and NumPy warn there of what
    the checks see better.
    """
    os.dup2(errors.fileno(), 2)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    end_with_parent(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    keep_native_output(log)
    tell_before_each_attempt(lambda what: sending.send(("attempting", what)))
    watch = Watch(
        crashed=crashed,
        making=lambda wanted, made: sending.send(("making", wanted, made)),
        ended=lambda name, error: sending.send(("ended", name, error)),
    )
    try:
        export_formats(config, _Sent(sending), watch=watch)
    except (ToolkitError, OSError, ModuleNotFoundError) as error:
        sending.send(("raised", error))
    sys.stdout.flush()
    os._exit(0)  # nothing is taken down: that takes time, and on a full disk HDF5 crashes
