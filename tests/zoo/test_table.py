"""The zoo's table: what a manifest and a refusal become, and whose memory is judged."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.formats.table import FORMATS
from export.layer_report import Attempt
from export.manifest import Check, Manifest
from tests.examples import MANIFEST, MIXTURE
from tests.zoo.__main__ import main
from tests.zoo.run import Ran, cells, mixtures
from tests.zoo.table import Cell, Row, cell_of_failure, cell_of_manifest, table, times, too_large
from train.common.errors import ToolkitError
from train.common.files.artifact import write_json

OWN = 3_000_000_000
NAMES = ("tflite-float32", "onnx-int8")
REFUSAL = (
    "error: onnx-int8: the converter refused the model: it has no way to convert the operator Erf; "
    "onnx-dynamic can be made of this model"
)


def row(
    name: str, parameters: int, peak_bytes: int, *words: Cell, own_bytes: int | None = None
) -> Row:
    return Row(
        name=name,
        parameters=parameters,
        seconds=90.0,
        peak_bytes=peak_bytes,
        own_bytes=own_bytes,
        cells=dict(zip(NAMES, words, strict=False)),
    )


def checked(**values: float) -> Manifest:
    checks = [
        Check(name=name, value=value, limit="", passed=True) for name, value in values.items()
    ]
    return replace(MANIFEST, checks=tuple(checks))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"agreement": 0.996, "variation_db": 31.0}, "100%"),
        ({"agreement": 0.9875}, "99%"),
        ({"variation_db": 31.4}, "31dB"),
        ({"variation_db": float("inf")}, "999dB"),
    ],
)
def test_a_file_is_told_by_its_agreement_or_its_noise(values: dict[str, float], word: str) -> None:
    assert cell_of_manifest(checked(**values)) == Cell(word=word)


@pytest.mark.parametrize(("agreement", "told"), [(0.9, True), (0.99, False)])
def test_of_a_mixture_of_other_classes_it_is_told_that_none_does_better(
    agreement: float, *, told: bool
) -> None:
    tried = tuple(
        Attempt(
            in_float=in_float,
            accuracy_drop=None,
            drop_high=None,
            snr_db=37.0,
            agreement=agreement - 0.01 * (in_float == 0),
            passed=True,
        )
        for in_float in (0, 4, 9)
    )
    manifest = checked(agreement=agreement, variation_db=37.0)
    cell = cell_of_manifest(replace(manifest, mixture=replace(MIXTURE, tried=tried)))
    assert bool(cell.reason) == told
    assert not told or cell.reason.startswith("of 3 mixtures with at most 30% of the mult")
    assert not told or cell.reason.endswith("closest: 90.0% with 4 of 8 operators in float")


@pytest.mark.parametrize(
    ("text", "word", "reason"),
    [
        (
            "was not written: check agreement: got 0.1, expected >= 0.97; onnx-dynamic can be made "
            "of this model",
            "fails",
            "was not written: check agreement: got 0.1, expected >= 0.97",
        ),
        (
            "no mixture passes, with 1 of 6 operators",
            "fails",
            "no mixture passes, with 1 of 6 operators",
        ),
        ("no way to convert the operator Erf", "lacks", "no way to convert the operator Erf"),
        (
            "too large; split the model; no simpler format can be made of this model either",
            "refused",
            "too large; split the model",
        ),
    ],
)
def test_a_refusal_is_told_without_its_advice(text: str, word: str, reason: str) -> None:
    assert cell_of_failure(text) == Cell(word=word, reason=reason)


@pytest.mark.parametrize(
    ("word", "weak"),
    [("95%", False), ("94%", True), ("30dB", False), ("9dB", True), ("fails", True)],
)
def test_mixtures_are_searched_for_where_int8_is_weak(word: str, weak: bool) -> None:
    found = {"tflite-int8": Cell(word=word), "onnx-int8": Cell(word="100%")}
    assert [each.name for each in mixtures(found)] == weak * ["tflite-int8-mixed"]


def test_each_format_is_told_by_its_manifest_or_by_what_the_command_said(tmp_path: Path) -> None:
    path = tmp_path / "tflite-float32.json"
    made = replace(checked(agreement=1.0), path=path, format=path.stem, runtime="litert")
    write_json(made.path, made.as_json())
    ran = Ran(code=2, output=f"onnx-int8: converting\n{REFUSAL}\n", seconds=1.0, peak_bytes=1)
    assert cells(ran, tmp_path, [FORMATS[name] for name in NAMES]) == {
        "tflite-float32": Cell(word="100%"),
        "onnx-int8": Cell(
            word="lacks",
            reason="the converter refused the model: it has no way to convert the operator Erf",
        ),
    }


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (-11, "onnx-int8: converting", "the export ended by SIGSEGV"),
        (1, "a\nTypeError: b\n", "the export ended with code 1: TypeError: b"),
    ],
)
def test_a_crash_is_told(code: int, output: str, reason: str, tmp_path: Path) -> None:
    ran = Ran(code=code, output=output, seconds=1.0, peak_bytes=1)
    found = cells(ran, tmp_path, [FORMATS["onnx-int8"]])
    assert found == {"onnx-int8": Cell(word="crash", reason=reason)}


def test_only_large_models_are_judged_by_their_memory() -> None:
    fits = row("fits", 25_000_000, OWN + 400_000_000, own_bytes=OWN)
    too_much = row("too_much", 25_000_000, OWN + 410_000_000, own_bytes=OWN)
    small = row("small", 1_000_000, OWN + 410_000_000)
    assert times(fits, OWN) == pytest.approx(4.0)
    assert too_large([fits, too_much, small]) == ["too_much"]


def test_the_table_has_one_row_per_model_and_tells_each_reason_once() -> None:
    good, bad = Cell(word="100%"), Cell(word="lacks", reason="no operator Erf")
    large = row("one", 25_000_000, OWN + 300_000_000, good, bad, own_bytes=OWN)
    text = table([large, row("two", 1_500_000, OWN, good, bad)], NAMES)
    lines = text.splitlines()
    assert lines[0].split() == ["model", "M", "par.", "Tf32", "Oint8", "min", "GB", "own", "times"]
    assert lines[2].split() == ["one", "25.00", "100%", "lacks", "1.5", "3.3", "3.0", "3.0"]
    assert lines[3].split() == ["two", "1.50", "100%", "lacks", "1.5", "3.0"]
    assert lines[-1] == "one Oint8, two Oint8: no operator Erf"


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ToolkitError, match="got 'lenet', expected one of mlp, "):
        main(["lenet"])
