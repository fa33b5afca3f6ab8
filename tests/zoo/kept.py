"""Rows that are done, one file for each model: a run of hours goes on where it ended."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.zoo.bare.judge import Comparison
from tests.zoo.table import Cell, Row
from train.common.files.artifact import write_json

Done = tuple[Row, Mapping[str, Comparison]]


def keep(folder: Path, row: Row, compared: Mapping[str, Comparison]) -> None:
    """Writes what was found of a model."""
    found = {name: asdict(each) for name, each in compared.items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{row.name}.json", {"row": asdict(row), "compared": found})


def kept(folder: Path, name: str) -> Done | None:
    """Returns what was found of a model; None if that is not known."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text())
    cells = {form: Cell(**cell) for form, cell in content["row"].pop("cells").items()}
    compared = {form: Comparison.of_json(each) for form, each in content["compared"].items()}
    return Row(**content["row"], cells=cells), compared
