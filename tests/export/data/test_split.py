"""Which examples calibrate and which verify."""

import numpy as np
import pytest

from export.data.split import calibration_split
from train.common.errors import DataError
from train.common.files.artifact import array_sha256


@pytest.mark.parametrize(
    ("count", "samples", "calibrating", "held_out"),
    [
        (2, None, 1, 1),
        (9, None, 8, 1),
        (100, None, 80, 20),
        (1_000, None, 500, 200),
        (60_000, None, 500, 1_000),
        (60_000, 59_000, 59_000, 1_000),
        (100, 1, 1, 20),
    ],
)
def test_sizes(count: int, samples: int | None, calibrating: int, held_out: int) -> None:
    parts = calibration_split(count, samples)
    assert [part.size for part in parts] == [calibrating, held_out]
    for part in parts:
        assert (np.diff(part) > 0).all()
        assert 0 <= part.min() <= part.max() < count
        assert part.dtype == np.int64
    assert not np.intersect1d(*parts).size


def test_the_split_never_changes() -> None:
    """Records of older exports stay comparable: these hashes may not change."""
    calibrating, held_out = calibration_split(1_000, 100)
    assert array_sha256(calibrating)[:16] == "ac8c51a550e6f62f"
    assert array_sha256(held_out)[:16] == "86cb36972eae150f"
    assert np.array_equal(calibration_split(1_000, None)[1], held_out)


@pytest.mark.parametrize(
    ("count", "samples", "message"),
    [
        (0, None, "got 0 examples, expected at least 2"),
        (1, 1, "got 1 example, expected at least 2"),
        (10, 9, "got 9 calibration samples, expected 1 to 8: of 10 examples, 2 are held out to"),
        (10, 0, "got 0 calibration samples, expected 1 to 8"),
    ],
)
def test_too_few_examples_are_refused(count: int, samples: int | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        calibration_split(count, samples)
