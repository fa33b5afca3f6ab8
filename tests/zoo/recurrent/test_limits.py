"""The limits and the table of recurrent layers."""

import pytest

from tests.zoo.recurrent.limits import Measured, faults, recurrent_table


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
    text = recurrent_table({("lstm", 12): cells, ("gru", 50): cells}, list(cells))
    row = next(line for line in text.splitlines() if line.startswith("lstm "))
    assert row.split() == ["lstm", "12", "90dB", "4.6B", "1.0×!", "–"]
    assert "lstm 12 Odyn, gru 50 Odyn: refused for its size" in text
