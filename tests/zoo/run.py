"""Runs the zoo: a model and its data in one process, all of its exports in another.

Each is a process of its own, as a user's would be: a converter that crashes ends one model's row,
and the memory that it took is its own.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.formats.table import FORMATS, Format
from export.manifest import read_manifest
from tests.zoo.models.entries import Entry
from tests.zoo.table import LARGE, Cell, Row, cell_of_failure, cell_of_manifest, is_weak
from train.common.errors import ArtifactError, ToolkitError

# The exports that need no training; fine-tuning has tests of its own.
POST_TRAINING = tuple(entry for entry in FORMATS.values() if not entry.recipes)
FAILURE = re.compile(r"^error: (?P<name>(?:tflite|onnx)-[a-z0-9-]+):? (?P<text>.+)$", re.MULTILINE)
RESOLUTION_BYTES = 1024  # of Linux's ru_maxrss


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A process that ended.

    Attributes:
        code: its exit code, negative for a signal.
        output: what it wrote.
        seconds: how long it took.
        peak_bytes: the most memory that it had at once.
    """

    code: int
    output: str
    seconds: float
    peak_bytes: int


def run(command: Sequence[str], log: Path) -> Ran:
    """Runs a command to its end, its output in a file."""
    started = time.monotonic()
    with log.open("w+", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        file.seek(0)
        return Ran(
            code=process.returncode,
            output=file.read(),
            seconds=time.monotonic() - started,
            peak_bytes=usage.ru_maxrss * RESOLUTION_BYTES,
        )


def own_bytes(path: str, folder: Path) -> int:
    """Returns the memory that TensorFlow itself takes to convert a model; see `memory`."""
    command = [sys.executable, "-m", "tests.zoo.memory", path, str(folder)]
    done = run(command, folder / "bare.log")
    if done.code != 0:
        raise ToolkitError(f"{path} could not be converted by TensorFlow; see {folder}")
    return done.peak_bytes


def formats_of(entry: Entry) -> tuple[Format, ...]:
    """Returns what a model is exported to at first: large ones not to mixtures, which take long."""
    is_large = entry.module == "applications"
    return tuple(each for each in POST_TRAINING if not (each.mixed and is_large))


def mixtures(found: Mapping[str, Cell]) -> tuple[Format, ...]:
    """Returns the mixed formats that have not been made of a model that plain int8 costs much."""
    return tuple(
        each
        for each in POST_TRAINING
        if each.mixed and each.name not in found and is_weak(found[f"{each.family}-int8"])
    )


def make_row(entry: Entry, folder: Path) -> Row:
    """Returns a model's row of the table.

    Args:
        entry: the model.
        folder: an empty one, for the model, its data, its exports and the logs.

    Raises:
        ToolkitError: the model itself could not be made.
    """
    formats = formats_of(entry)
    made = run(
        [sys.executable, "-m", "tests.zoo.models.making", entry.name, str(folder)],
        folder / "making.log",
    )
    if made.code != 0:
        last = (made.output.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(f"{entry.name} could not be made: {last}; see {folder}")
    facts = json.loads((folder / "facts.json").read_text())
    done = run(export_command(entry, facts["path"], folder, formats), folder / "export.log")
    found = cells(done, folder / "exports", formats)
    seconds, peak_bytes = done.seconds, done.peak_bytes
    if more := mixtures(found):
        done = run(export_command(entry, facts["path"], folder, more), folder / "mixed.log")
        found |= cells(done, folder / "exports", more)
        seconds, peak_bytes = seconds + done.seconds, max(peak_bytes, done.peak_bytes)
    return Row(
        name=entry.name,
        parameters=facts["parameters"],
        seconds=seconds,
        peak_bytes=peak_bytes,
        own_bytes=own_bytes(facts["path"], folder) if facts["parameters"] >= LARGE else None,
        cells=found,
    )


def export_command(
    entry: Entry, path: str, folder: Path, formats: Sequence[Format]
) -> tuple[str, ...]:
    """Returns the command that a user would give."""
    return (
        *(sys.executable, "-m", "export", "--model", path, *entry.options),
        *("--calibration", str(folder / "data.npz"), "--artifacts", str(folder / "exports")),
        *("--format", ",".join(form.name for form in formats)),
    )


def cells(done: Ran, exports: Path, formats: Sequence[Format]) -> dict[str, Cell]:
    """Returns what came of each format: what its manifest says, or the command."""
    said = {found["name"]: found["text"] for found in FAILURE.finditer(done.output)}
    found = {}
    for entry in formats:
        if entry.name in said:
            found[entry.name] = cell_of_failure(said[entry.name])
            continue
        try:
            found[entry.name] = cell_of_manifest(read_manifest(exports / f"{entry.name}.json"))
        except ArtifactError:
            found[entry.name] = Cell(word="crash", reason=_end_of(done))
    return found


def _end_of(done: Ran) -> str:
    if done.code < 0:
        return f"the export ended by {signal.Signals(-done.code).name}"
    last = (done.output.strip().splitlines() or ["no message"])[-1]
    return f"the export ended with code {done.code}: {last}"
