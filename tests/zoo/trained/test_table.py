"""The table of trained networks, and what ends the command with 1."""

from dataclasses import replace

import pytest

from tests.zoo.trained.run import FORMATS, Export, Trained
from tests.zoo.trained.table import beyond, trained_table

PLAIN = Export(accuracy=0.895, seconds=20.0, multiplications=1.0, method="min-max")
MIXED = replace(PLAIN, accuracy=0.898, in_float=3, multiplications=0.7, bytes=0.9, tried=7)


def row(**exports: Export) -> Trained:
    found = {form: MIXED if form.endswith("mixed") else PLAIN for form in FORMATS}
    named = {form.replace("_", "-"): export for form, export in exports.items()}
    return Trained(name="net", parameters=1_000, accuracy=0.9, exports=found | named)


def test_what_loses_as_much_as_it_may_is_within_the_limits() -> None:
    assert list(beyond([row()])) == []


@pytest.mark.parametrize(
    ("exports", "said"),
    [
        ({"onnx_int8": replace(PLAIN, accuracy=0.8949)}, "onnx-int8 loses 0.51 points"),
        ({"tflite_int8_mixed": replace(MIXED, accuracy=0.8979)}, "int8-mixed loses 0.21 points"),
        ({"onnx_int8_mixed": replace(MIXED, multiplications=0.69)}, "has 69% of the multiplic"),
        ({"onnx_int8_mixed": replace(MIXED, seconds=601.0)}, "took 601 s"),
        ({"tflite_int8": Export(accuracy=None, seconds=1.0, reason="why")}, "not made: why"),
    ],
)
def test_what_is_beyond_a_limit_is_said(exports: dict[str, Export], said: str) -> None:
    (fault,) = beyond([row(**exports)])
    assert said in fault


def test_a_line_says_what_is_lost_and_what_is_in_int8() -> None:
    failed = Export(accuracy=None, seconds=1.0, reason="no mixture is within the limits")
    text = trained_table([row(onnx_int8_mixed=failed)])
    assert "tflite-int8        89.50  +0.50 100.0%" in text
    assert "tflite-int8-mixed  89.80  +0.20  70.0%  90.0%      3      7" in text
    assert "onnx-int8-mixed    not made: no mixture is within the limits" in text
    assert max(map(len, text.splitlines())) <= 105
