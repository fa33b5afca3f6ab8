from dataclasses import replace

import numpy as np
import pytest

from export.manifest import TensorSpec
from tests.arm.comparison import LIMITS, Limit, Row, compare, table
from tests.examples import OUTPUT
from train.errors import ArtifactError

COUNT = 1_000
FLOAT = TensorSpec(name="probabilities", shape=(1, 3), dtype="float32", scale=None, zero_point=None)


def outputs(dtype: type = np.float32) -> np.ndarray:
    return np.eye(3, dtype=dtype)[np.arange(COUNT) % 3]


def changed(count: int, by: float) -> np.ndarray:
    """The outputs with so many images' first two values moved apart."""
    found = outputs()
    found[: 3 * count : 3, 0] -= np.float32(by)
    found[: 3 * count : 3, 1] += np.float32(by)
    return found


def test_equal_outputs_pass() -> None:
    found = compare("onnx-float32", outputs(), outputs(), FLOAT)
    assert (found.images, found.flips, found.difference, found.unit) == (COUNT, 0, 0, "")
    assert found.passed


def test_integers_differ_in_steps_and_floats_in_numbers() -> None:
    assert OUTPUT.scale is not None
    steps = changed(1, 2 * OUTPUT.scale)
    assert compare("a", outputs(), steps, OUTPUT).difference == 2
    assert compare("a", outputs(), steps, OUTPUT).unit == "LSB"
    assert compare("a", outputs(), steps, FLOAT).difference == pytest.approx(2 * OUTPUT.scale)


@pytest.mark.parametrize("output", [OUTPUT, FLOAT, replace(OUTPUT, dtype="int16")])
def test_a_flip_too_many_fails_and_a_difference_too_large_fails(output: TensorSpec) -> None:
    limit = LIMITS[output.dtype]
    allowed = int(limit.flips * COUNT)
    row = compare("a", outputs(), changed(allowed, 0.6), output)
    assert row.flips == allowed
    assert not row.passed  # by the difference
    assert replace(row, difference=0.0).passed
    assert not replace(row, difference=0.0, flips=allowed + 1).passed


def test_what_is_no_number_fails() -> None:
    wrong = outputs()
    wrong[7, 1] = np.nan
    assert not compare("a", outputs(), wrong, FLOAT).passed


def test_other_images_and_too_few_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"got outputs of shape \(999, 3\) and \(1000, 3\)"):
        compare("a", outputs(), outputs()[:-1], FLOAT)
    with pytest.raises(ArtifactError, match="at least 1,000 images"):
        compare("a", outputs()[:-1], outputs()[:-1], FLOAT)


def test_the_table_fits_a_terminal() -> None:
    row = Row(
        name="tflite-int8-pruned-clustered",
        images=10_000,
        flips=3,
        difference=12,
        unit="LSB",
        limit=Limit(flips=0.005, difference=64),
    )
    limit = Limit(flips=0.005, difference=0.05)
    rows = (row, replace(row, flips=51, difference=3e-7, unit="", limit=limit))
    lines = table(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == [
        *("tflite-int8-pruned-clustered", "3", "10,000", "50"),
        *("12", "LSB", "64", "LSB", "pass"),
    ]
    assert lines[3].endswith("3.0e-07  5.0e-02  fail")
    assert len({line.index(line.split()[-1]) for line in lines[2:]}) == 1
