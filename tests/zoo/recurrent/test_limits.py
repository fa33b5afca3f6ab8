"""The limits and the table of recurrent layers."""

from pathlib import Path

import pytest

from tests.zoo.recurrent.kept import keep, kept
from tests.zoo.recurrent.limits import Case, Measured, all_faults, faults
from tests.zoo.recurrent.table import recurrent_table, worst_table


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("onnx-float32", Measured(decibels=130, size_bytes=4500, weights=1000, times=1.2), []),
        ("onnx-float32", Measured(decibels=99), ["99.0 dB, expected 100"]),
        ("onnx-dynamic", Measured(decibels=26), []),
        ("onnx-dynamic", Measured(decibels=24, weights=10), ["24.0 dB, expected 25"]),
        (
            "onnx-dynamic",
            Measured(decibels=40, size_bytes=5873, weights=1000, times=1.6),
            ["5873 bytes, expected at most 5872", "1.60 times, expected 1.5"],
        ),
        ("onnx-dynamic", Measured(reason="it has no such operator"), []),
        ("tflite-dynamic", Measured(decibels=30, size_bytes=10**6, times=9.0), []),
    ],
)
def test_what_is_beyond_a_limit_is_told(name: str, cell: Measured, expected: list[str]) -> None:
    assert faults("lstm", name, cell) == expected


def test_loops_are_held_to_their_exactness_alone() -> None:
    cell = Measured(decibels=20, size_bytes=10**6, weights=1000, times=9.0)
    assert faults("own_cell", "onnx-dynamic", cell) == ["20.0 dB, expected 25"]


def test_the_table_marks_them_and_says_why_a_file_is_missing() -> None:
    cells = {
        "onnx-float32": Measured(decibels=90, size_bytes=4600, weights=1000, times=1.04),
        "onnx-dynamic": Measured(reason="refused for its size"),
    }
    case = Case(cells=cells, seconds=12.4)
    text = recurrent_table({("lstm", 12): case, ("gru", 50): case}, list(cells))
    row = next(line for line in text.splitlines() if line.startswith("lstm "))
    assert row.split() == ["lstm", "12", "90dB", "4.6B", "1.0×!", "–", "12"]
    assert "lstm Odyn 12, gru Odyn 50: refused for its size" in text


def test_a_layers_row_has_the_worst_over_all_steps() -> None:
    name = "onnx-dynamic"
    few = Case(cells={name: Measured(decibels=41, size_bytes=26, weights=10, times=1.2)}, seconds=3)
    some = Case(
        cells={name: Measured(decibels=38, size_bytes=27, weights=10, times=1.1)}, seconds=9
    )
    many = Case(cells={name: Measured(reason="too long")}, seconds=1)
    found = {("gru", 1): few, ("gru", 50): some, ("gru", 200): many}
    text = worst_table(found, [name])
    row = next(line for line in text.splitlines() if line.startswith("gru "))
    assert row.split() == ["gru", "38°", "2.7", "1.20", "9"]
    assert "gru Odyn 200: too long" in text
    assert "the worst of 1, 50, 200 steps" in text


def test_conversion_may_take_a_minute() -> None:
    assert all_faults("gru", Case(cells={}, seconds=59)) == []
    assert all_faults("gru", Case(cells={}, seconds=61)) == [
        "61 s to convert all, expected at most 60"
    ]


def test_cases_are_kept(tmp_path: Path) -> None:
    case = Case(cells={"onnx-float32": Measured(decibels=130, times=1.0)}, seconds=3.0)
    keep(tmp_path / "results", "gru", 12, case)
    assert kept(tmp_path / "results", "gru", 12) == case
    assert kept(tmp_path / "results", "gru", 50) == Case(cells={})
