"""What stands side by side in `make bench`."""

import json
import os
from pathlib import Path

import pytest

from tests.beside import HEADER, Line, bakenn_line, folders, is_small
from train.common.errors import ToolkitError


def python(folder: Path, text: str) -> str:
    """Writes a program that stands for an interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return os.fspath(path)


def test_bakenn_says_what_it_takes_or_why_it_does_not(tmp_path: Path) -> None:
    def line(text: str) -> Line:
        return bakenn_line(python(tmp_path, text), tmp_path / "a.tflite", tmp_path / "out")

    assert line("echo 900 64") == Line(name="BakeNN", flash=900, ram=64, note="constants and arena")
    assert line("echo Traceback >&2; echo 'refuses the file: rank' >&2; exit 1").note == (
        "refuses the file: rank"
    )
    assert line("exit 3").note == "it said nothing"
    absent = bakenn_line(str(tmp_path / "none"), tmp_path / "a.tflite", tmp_path / "out")
    assert "none" in absent.note


def test_lines_stand_below_each_other() -> None:
    whole = Line(name="c", flash=28_308, ram=1_020, p50_us=0.7, ratio=0.591, note="measured")
    assert whole.text == "c                 28,308     1,020     0.70   0.59  measured"
    assert whole.text.index("  measured") == len(HEADER)
    assert Line(name="BakeNN", note="refuses").text.index("  refuses") == len(HEADER)


@pytest.mark.parametrize(("units", "size", "small"), [(63, 30_000, 1), (64, 20_000, 0), (64, 1, 1)])
def test_few_units_or_a_small_file_are_small(
    units: int, size: int, small: int, tmp_path: Path
) -> None:
    record = {"hyperparameters": {"units": units}}
    (tmp_path / "model.json").write_text(json.dumps(record))
    (tmp_path / "tflite-int8.tflite").write_bytes(bytes(size))
    assert is_small(tmp_path) == bool(small)


def test_networks_are_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="run `make run` or `make mcu`"):
        folders(tmp_path)
    for folder in (tmp_path, tmp_path / "mcu" / "784-32-10", tmp_path / "mcu" / "other"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.keras").touch()
    assert folders(tmp_path) == [tmp_path, tmp_path / "mcu" / "784-32-10"]
