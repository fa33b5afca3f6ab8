"""Cases that are done, one file each: a run of an hour goes on where it ended."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.zoo.recurrent.limits import Case, Measured
from train.common.files.artifact import write_json


def keep(folder: Path, kind: str, steps: int, case: Case) -> None:
    """Writes what was measured of a layer at a number of steps."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{kind}-{steps}.json", asdict(case))


def kept(folder: Path, kind: str, steps: int) -> Case:
    """Returns what was measured, of whichever formats."""
    path = folder / f"{kind}-{steps}.json"
    if not path.is_file():
        return Case(cells={})
    content = json.loads(path.read_text())
    cells = {name: Measured(**cell) for name, cell in content["cells"].items()}
    return Case(cells=cells, seconds=content["seconds"])
