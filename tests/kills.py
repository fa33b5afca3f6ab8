"""`python -m tests.kills`: commands that are ended at moments spread over their run.

Each is killed, or asked to end, in a copy of a folder with a model and its exports (`make run`
makes one). Afterwards every artifact must be the one that its manifest describes, nothing may run
on, and what is half done must be put right by what the next command begins with. Prints how many
survived.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.measure.variants import RESULTS_FILE
from benchmark.results.read import read_run
from export.manifest import check_file, read_manifest
from tests.commands import REPOSITORY
from train.common.command.cli import Parser, integer_between, run_program
from train.common.errors import ToolkitError
from train.common.files.artifact import file_sha256
from train.common.files.staging import PUBLISHING_PREFIX, STAGING_PREFIX, staging
from train.common.record import MODEL_FILE, RECORD_FILE, read_model_record

FORMATS = "tflite-int8,tflite-float32,onnx-float32"
COMMANDS = {
    "train": ("--recipe", "notebook", "--units", "32", "--epochs", "2", "--overwrite"),
    "export": ("--format", FORMATS, "--force"),
    "benchmark": ("--quick", "--format", FORMATS),
}
ENDS = (signal.SIGKILL, signal.SIGTERM)
GRACE_S = 20.0
LEFTOVERS = (STAGING_PREFIX, PUBLISHING_PREFIX)


def main(arguments: Sequence[str]) -> int:
    """Ends each command at some moments; returns 1 if anything was lost, else 0."""
    parser = Parser(prog="python -m tests.kills", description=__doc__)
    parser.add_shared_arguments()
    parser.group("kills")("--moments", type=integer_between(1, 1000), default=10)
    options = parser.parse_args(arguments)
    survived = 0
    for command in COMMANDS:
        for number, problem in enumerate(sweep(command, options.artifacts, options.moments)):
            survived += problem is None
            if problem:
                print(f"{command}, moment {number + 1} of {options.moments}: {problem}", flush=True)
    total = options.moments * len(COMMANDS)
    print(f"{survived} of {total} kills survived")
    return 0 if survived == total else 1


def sweep(command: str, artifacts: Path, moments: int) -> Iterator[str | None]:
    """Yields what was wrong after each of a command's ends; None where nothing was."""
    with tempfile.TemporaryDirectory() as temporary:
        first = _copied(artifacts, Path(temporary, "whole"))
        started = time.monotonic()
        process = _start(command, first)
        process.communicate()
        duration_s = time.monotonic() - started
        if process.returncode not in (0, 1):
            raise ToolkitError(f"{command} ended with {process.returncode} where nobody ended it")
        for number in range(moments):
            folder = _copied(artifacts, Path(temporary, str(number)))
            yield ended(command, folder, duration_s * (number + 0.5) / moments, ENDS[number % 2])
            shutil.rmtree(folder)


def ended(command: str, folder: Path, after_s: float, number: signal.Signals) -> str | None:
    """Returns what was wrong after a command got a signal; None if nothing was."""
    process = _start(command, folder)
    try:
        process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, err = process.communicate(timeout=GRACE_S)
    if number == signal.SIGTERM and process.returncode not in (0, 1, 130):
        return f"it ended with {process.returncode}: {err[-300:]}"
    if _still_running(process.pid):
        return "one of its processes ran on"
    try:
        with staging(folder):
            pass
        return _lost(folder)
    except ToolkitError as error:
        return str(error)


def _copied(artifacts: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in artifacts.iterdir():
        if path.is_file():
            shutil.copy2(path, folder)
    return folder


def _start(command: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", command, *COMMANDS[command], "--artifacts", folder],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _still_running(session: int) -> bool:
    for _ in range(50):
        if subprocess.run(["pgrep", "--session", str(session)], capture_output=True).returncode:
            return False
        time.sleep(0.1)
    return True


def _lost(folder: Path) -> str | None:
    """Returns which artifact isn't whole; raises ToolkitError where one can't be read at all."""
    if read_model_record(folder).sha256 != file_sha256(folder / MODEL_FILE):
        return f"{MODEL_FILE} is not that of {RECORD_FILE}"
    for path in folder.glob("*-*.json"):
        check_file(read_manifest(path))
    read_run(folder / RESULTS_FILE)
    left = [path.name for path in folder.iterdir() if path.name.startswith(LEFTOVERS)]
    return f"{left} are left" if left else None


if __name__ == "__main__":
    run_program(main)
