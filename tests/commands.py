"""Runs the commands, and what every command answers to bad input."""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from export.formats.select import select_formats
from train.common.command.cli import run_command
from train.common.files.artifact import file_sha256

SMALL_FIT = ("--recipe", "notebook", "--units", "32", "--epochs", "3")
# One epoch and half the weights: the small model has less to spare than the reference.
EXPORT_ALL = ("--format", "all", "--epochs", "1", "--sparsity", "0.5")
# Three epochs of 32 units are far below the baseline of the real job.
OF_ALL = [entry.name for entry in select_formats(["all"])]
GATE = ("--baseline", "0.80", "--tolerance", "0.02")
REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Completed:
    code: int
    out: str
    err: str


def run_module(module: str, *arguments: str | Path) -> Completed:
    """Runs `python -m module …` from the repository, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return Completed(code=done.returncode, out=done.stdout, err=done.stderr)


def run_in_process(module: str, *arguments: str | Path) -> Completed:
    """Does what `run_module` does without a new process, which costs seconds of imports.

    The file descriptors are captured too: what a library writes from C++ counts as output.
    """
    main = importlib.import_module(f"{module}.__main__").main
    environment = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            with descriptor(1, out.fileno()), descriptor(2, err.fileno()), chdir(REPOSITORY):
                code = run_command(main, [str(argument) for argument in arguments])
        finally:
            os.environ.clear()
            os.environ.update(environment)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        out.seek(0)
        err.seek(0)
        return Completed(code=code, out=out.read().decode(), err=err.read().decode())


@contextmanager
def descriptor(number: int, target: int) -> Iterator[None]:
    """Points standard output (1) or standard error (2) elsewhere."""
    saved = os.dup(number)
    os.dup2(target, number)
    # never closed: a logger that is set up meanwhile keeps it
    stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        with redirect_stdout(stream) if number == 1 else redirect_stderr(stream):
            try:
                yield
            finally:  # the command may have put a stream of its own there
                (sys.stdout if number == 1 else sys.stderr).flush()
    finally:
        stream.flush()
        os.dup2(saved, number)
        os.close(saved)


def assert_one_line_error(done: Completed, *expected: str) -> None:
    """Asserts the contract of bad input: exit code 2, one `error: …` line, no traceback."""
    assert done.code == 2, done
    assert done.err.startswith("error: "), done.err
    assert len(done.err.splitlines()) == 1, done.err
    for text in expected:
        assert text in done.err, done.err


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


def hashes(folder: Path) -> dict[Path, str]:
    """Every file below ``folder`` with the hash of its bytes."""
    return {path: file_sha256(path) for path in folder.rglob("*") if path.is_file()}
