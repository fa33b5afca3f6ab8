"""What a run of the zoo found is found again."""

from pathlib import Path

from tests.zoo.bare.judge import Comparison, File
from tests.zoo.kept import keep, kept
from tests.zoo.table import Cell, Row


def test_a_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    row = Row(
        name="mlp",
        parameters=9,
        seconds=1.5,
        peak_bytes=7,
        cells={"tflite-int8": Cell(word="fails", reason="no operator")},
    )
    ours = File(decibels={"y": 30.0}, size_bytes=5, p50_us=1.5, failed=("check",))
    compared = {"tflite-int8": Comparison(ours=ours, bare=None, reason="crash")}
    folder = tmp_path / "results"
    assert kept(folder, "mlp") is None
    keep(folder, row, compared)
    assert kept(folder, "mlp") == (row, compared)
