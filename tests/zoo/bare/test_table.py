"""The table of exports beside bare files, its faults, and what exports gain."""

from dataclasses import replace

from tests.zoo.bare.judge import Comparison, File
from tests.zoo.bare.table import comparison_table, faults, gains_table

COLUMNS = {"tflite-int8": "Tint8", "onnx-int8": "Oint8"}
BARE = File(decibels={"y": 30.0}, size_bytes=20_000, p50_us=10.0)
BETTER = File(decibels={"y": 42.0}, size_bytes=12_345, p50_us=8.0)
GOOD = Comparison(ours=BETTER, bare=BARE)
ALONE = Comparison(ours=replace(BETTER, p50_us=None), bare=None, reason="no operator Erf")
BAD = Comparison(ours=replace(BETTER, decibels={"y": 25.0}), bare=BARE)
COMPARED = {
    "one": {"tflite-int8": GOOD, "onnx-int8": ALONE},
    "two": {"tflite-int8": BAD, "onnx-int8": Comparison(ours=None, bare=BARE)},
}


def test_three_lines_for_each_model_and_each_reason_once() -> None:
    lines = comparison_table(COMPARED, COLUMNS).splitlines()
    assert lines[0].split() == ["model", "Tint8", "Oint8"]
    assert [line.split() for line in lines[2:5]] == [
        ["one", "dB", "42/30", "42/–"],
        ["kB", "12.3/20.0", "12.3/–"],
        ["×", "0.80"],
    ]
    assert lines[5].split() == ["two", "dB", "25/30!", "–/30!"]
    assert "one Oint8: no bare file: no operator Erf" in lines
    assert "two Tint8: FAULT, 5.0 dB less" in lines


def test_faults_name_model_and_format() -> None:
    assert faults(COMPARED) == [
        "two tflite-int8: 5.0 dB less",
        "two onnx-int8: refused, and the bare file is within the limits",
    ]
    assert faults({"one": COMPARED["one"]}) == []


def test_gains_are_medians_with_the_best_beside_them() -> None:
    lines = gains_table(COMPARED, COLUMNS).splitlines()
    found = lines[2].split()
    assert found[:2] == ["tflite-int8", "2"]
    assert found[2:] == ["+3.5", "(+12.0)", "0.62", "(0.62)", "0.80", "(0.80)", "0"]
    assert lines[3].split() == ["onnx-int8", "1", "–", "–", "–", "1"]
