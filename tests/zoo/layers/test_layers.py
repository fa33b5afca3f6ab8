"""The zoo's second table: which layers it has, what it says, and some of them exported."""

from pathlib import Path

import pytest

from tests.zoo.layers.cases import CASES, WITHOUT, every_layer
from tests.zoo.layers.table import layers_table
from tests.zoo.layers.work import export
from tests.zoo.run import POST_TRAINING
from tests.zoo.table import Cell

FORMATS = {entry.name for entry in POST_TRAINING}


def test_every_layer_of_keras_has_a_case() -> None:
    assert every_layer() - WITHOUT <= set(CASES)


def test_the_table_counts_the_files_and_gives_each_reason_once() -> None:
    yes, no = Cell(word="99%"), Cell(word="lacks", reason="it has no way to convert the operator X")
    found = {
        "Dense:0": {"tflite-float32": yes, "tflite-int8": yes},
        "Dense:1": {"tflite-float32": yes, "tflite-int8": yes},
        "Odd:0": {"tflite-float32": yes, "tflite-int8": no},
        "Odd:1": {"tflite-float32": no, "tflite-int8": no},
    }
    lines = layers_table(found, ["tflite-float32", "tflite-int8"]).splitlines()
    assert "5 of 8 files made, 3 lacks" in lines
    assert "  Dense" in lines
    assert [line.split() for line in lines if line.startswith("Odd  ")] == [
        ["Odd", "lacks", "lacks"]
    ]
    assert [line for line in lines if "operator X" in line] == [
        "Odd Tint8 Tf32: it has no way to convert the operator X"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "refused"),
    [
        # means of values that share a range, which TensorFlow's quantizer takes from the means
        ("AdaptiveAveragePooling2D:0", {"tflite-int4"}),
        ("StringLookup:0", FORMATS),
    ],
)
def test_a_layer_alone_is_made_or_refused_in_a_line(
    name: str, refused: set[str], tmp_path: Path
) -> None:
    found = export(name, tmp_path)
    assert "crash" not in {word for word, _ in found.values()}, found
    if refused == FORMATS:
        assert set(found) == {"all"}
        assert found["all"][0] == "refused"
    else:
        assert {name for name, (_, reason) in found.items() if reason} == refused, found
