"""Runs cases in processes of their own, a few each, and goes on after one that crashes or hangs."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.commands import REPOSITORY
from tests.zoo.run import POST_TRAINING
from tests.zoo.table import Cell

CHUNK = 16  # cases of one process, which takes seconds to load TensorFlow
MOST_SECONDS = 300.0  # of a case
CRASH = "crash"
Cells = dict[str, Cell]


def run_cases(names: Sequence[str], workers: int) -> dict[str, Cells]:
    """Returns what came of each format of each case, `LAYER:SHAPE`, in the order given."""
    chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    found: dict[str, Cells] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        places = [Path(folder, str(number)) for number in range(len(chunks))]
        for part in pool.map(_run_chunk, chunks, places):
            found |= part
    return {name: found[name] for name in names}


def _run_chunk(names: Sequence[str], folder: Path) -> dict[str, Cells]:
    found: dict[str, Cells] = {}
    attempt = 0
    while left := [name for name in names if name not in found]:
        place = folder / str(attempt)
        place.mkdir(parents=True)
        attempt += 1
        last = left[0]
        for content in _answers(left, place):
            last = content["case"]
            if "cells" in content:
                found[last] = _cells(content["cells"])
                print(f"{last:<40} {_in_short(found[last])}", file=sys.stderr, flush=True)
        if last not in found:
            said = (place / "log").read_text(errors="replace").strip().splitlines()
            found[last] = _cells({"all": (CRASH, (said or ["no message"])[-1])})
    return found


def _answers(names: Sequence[str], place: Path) -> Iterator[dict[str, Any]]:
    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.zoo.layers.work", str(place), *names],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        timer = threading.Timer(MOST_SECONDS, process.kill)
        timer.start()
        for line in process.stdout:
            timer.cancel()
            timer = threading.Timer(MOST_SECONDS, process.kill)
            timer.start()
            yield json.loads(line)
        timer.cancel()
        process.wait()


def _cells(content: dict[str, tuple[str, str]]) -> Cells:
    if "all" in content:
        content = dict.fromkeys((entry.name for entry in POST_TRAINING), content["all"])
    return {name: Cell(word=word, reason=reason) for name, (word, reason) in content.items()}


def _in_short(cells: Cells) -> str:
    made = sum(not cell.reason for cell in cells.values())
    others = {cell.word for cell in cells.values() if cell.reason}
    return f"{made} made" + "".join(f", {word}" for word in sorted(others))
