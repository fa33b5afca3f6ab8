"""`python -m tests.zoo.layers.work FOLDER NAME:SHAPE …`: exports layers, one after the other.

Prints a JSON line before each case, and one after it: what came of each format.
"""

import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.commands import run_in_process
from tests.zoo.layers.cases import CASES
from tests.zoo.run import FAILURE, POST_TRAINING, Ran, cells

EXAMPLES = 50  # a fifth of which verify
MOST = 900  # characters of an error, which is one line


def main(arguments: Sequence[str]) -> int:
    """Exports the cases; returns 0."""
    folder = Path(arguments[0])
    for name in arguments[1:]:
        _say({"case": name})
        place = folder / name.replace(":", "-")
        place.mkdir()
        _say({"case": name, "cells": export(name, place)})
    return 0


def export(name: str, place: Path) -> dict[str, tuple[str, str]]:
    """Returns a word and a reason for each format of a case, as the command gives them."""
    layer, _, number = name.partition(":")
    case = CASES[layer]
    shape = case.shapes[int(number)]
    case.model(shape).save(place / "model.keras")
    np.savez(place / "data.npz", **case.data(shape, EXAMPLES))  # type: ignore[arg-type]
    try:
        done = run_in_process(
            *("export", "--model", place / "model.keras", "--artifacts", place / "exports"),
            *("--calibration", place / "data.npz"),
            *("--format", ",".join(entry.name for entry in POST_TRAINING)),
        )
    except Exception:  # noqa: BLE001 - what no command may raise is what is looked for
        return {"all": ("crash", traceback.format_exc())}
    lines = done.err.splitlines()
    strange = [line for line in lines if not line.startswith("error: ") or len(line) > MOST]
    if strange or done.code not in (0, 1, 2):
        return {"all": ("crash", "\n".join(strange) or f"exit code {done.code}")}
    if len(lines) == 1 and not FAILURE.match(lines[0]):  # of the model, not of a format
        return {"all": ("refused", lines[0].removeprefix("error: "))}
    ran = Ran(code=done.code, output=done.err, seconds=0, peak_bytes=0)
    found = cells(ran, place / "exports", POST_TRAINING)
    return {name: (cell.word, cell.reason) for name, cell in found.items()}


def _say(content: object) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
