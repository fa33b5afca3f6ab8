"""`python -m export --explain` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from export.__main__ import main
from export.manifest import read_manifest
from tests.export.convert.mixed.models import Case

pytestmark = pytest.mark.slow


def command(case: Case, folder: Path, *more: str) -> list[str]:
    data = folder / "data.npz"
    expected = case.expected
    (labels,) = expected.labels.values()
    np.savez(data, x=expected.inputs["signal"], y=labels)
    return [
        *("--model", str(case.source.folder / "model.keras"), "--calibration", str(data)),
        *("--artifacts", str(folder / "exports"), "--calibration-method", "min-max", *more),
    ]


def test_a_file_that_fails_its_checks_is_explained(
    masked: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(masked, tmp_path, "--explain", "tflite-int8")) == 1
    said = capsys.readouterr()
    assert "tflite-int8 was not written" in said.err
    assert "5 of " in said.out
    assert "attention (SOFTMAX): quantized alone" in said.out
    assert "reads 'masked' in steps of" in said.out
    assert "puts 'Mul', which spans" in said.out
    shown = json.loads((tmp_path / "exports" / "tflite-int8.explorer.json").read_text())
    assert all(set(result) == {"value"} for result in shown["results"].values())
    assert any("attention" in name for name in shown["results"])
    assert not (tmp_path / "exports" / "tflite-int8.json").exists()


def test_an_explanation_is_kept_in_the_manifest(
    masked: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = "tflite-int8-mixed"
    arguments = command(masked, tmp_path, "--explain", mixed, "--max-drop", "0.1")
    code = main(arguments)
    first = capsys.readouterr().out
    manifest = read_manifest(tmp_path / "exports" / f"{mixed}.json")
    assert code == 0
    assert manifest.layers is not None
    assert manifest.layers.explained
    assert any(each.in_float for each in manifest.layers.operators)
    assert "operators in float (masked, attention" in first
    assert manifest.parts is not None
    assert manifest.parts.total == manifest.size_bytes
    assert manifest.parts.text in first
    assert main(arguments) == 0
    again = capsys.readouterr().out
    assert "is up to date" in again
    assert "TensorFlow" not in again
    assert first[first.index("5 of ") :] == again[again.index("5 of ") :]


def test_features_of_unlike_units_are_what_integer_inputs_cost(
    units: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(units, tmp_path, "--explain", "tflite-int8")) == 1
    said = capsys.readouterr().out
    assert "integer inputs and outputs, all operators in float" in said
    assert "in input 'signal' columns 1, 2, 3, 4, … (of 8, counted from 0) span" in said


def test_integer_inputs_that_no_mixture_bears_may_be_left_out(
    units: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = command(units, tmp_path, "--format", "tflite-int8-mixed", "--max-drop", "0.02")
    assert main([*asked, "--io", "int8"]) == 2
    assert "or leave out --io int8, so that inputs and outputs are float" in capsys.readouterr().err
    assert main(asked) == 0
    manifest = read_manifest(tmp_path / "exports" / "tflite-int8-mixed.json")
    assert manifest.mixture is not None
    assert {each.layer for each in manifest.mixture.operators} == {"normal"}
