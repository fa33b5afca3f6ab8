import numpy as np
import pytest

from export.verify.causes import causes
from train.common.tensors import TensorSpec

RANDOM = np.random.default_rng(0)


def int8(name: str, values: np.ndarray) -> TensorSpec:
    """A tensor whose range holds the values, and 0."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = (high - low) / 255
    zero_point = round(-128 - low / scale)
    shape = (1, *values.shape[1:])
    return TensorSpec(name=name, shape=shape, dtype="int8", scale=scale, zero_point=zero_point)


def found(inputs: np.ndarray, outputs: np.ndarray, *, seen: int = 100) -> list[str]:
    """What is found of a file that was calibrated on the first examples."""
    given, wanted = int8("x", inputs[:seen]), int8("y", outputs[:seen])
    return causes([given], [wanted], {"x": inputs}, {"y": outputs})


FEATURES = RANDOM.uniform(-1, 1, (100, 4)).astype(np.float32)


def test_small_columns_beside_large_ones_are_named() -> None:
    unequal = FEATURES * np.array([0.3, 60_000, 0.1, 50_000], np.float32)
    (said,) = found(unequal, FEATURES)
    assert said.startswith("in input 'x' columns 0, 2 (of 4, counted from 0) span 0.")
    assert "column 1 1.1" in said or "column 1 1.2" in said
    assert said.endswith("or leave those in float, as mixed formats can")


def test_an_output_that_varies_by_less_than_a_step_is_named() -> None:
    (said,) = found(FEATURES, 101_325 + FEATURES[:, :1])
    assert said.startswith("output 'y' varies by 0.5")
    assert "around 101325, less than a step of int8, 397, as the range has to hold 0" in said


def test_a_file_that_takes_floats_has_scales_within() -> None:
    unequal = FEATURES * np.array([0.3, 60_000, 0.1, 50_000], np.float32)
    spec = TensorSpec(name="x", shape=(1, 4), dtype="float32")
    for activations, count in (("int8", 1), ("int16", 1), ("dynamic", 0), ("float32", 0)):
        given = {"x": unequal}, {"x": FEATURES}
        assert len(causes([spec], [spec], *given, activations)) == count, activations


@pytest.mark.parametrize("values", [FEATURES, np.zeros((100, 4), np.float32) + FEATURES[:, :1]])
def test_ranges_that_fit_are_not_blamed(values: np.ndarray) -> None:
    assert found(values, values) == []
