"""Floating-point factors give the integer kernels' outputs for every sum that there can be."""

import numpy as np
import pytest

from export.deploy.c.steps.numbers import factor
from export.deploy.c.steps.weights.reals import real_factors

MOST = 200_000
RELU = (-128, -128, 127)  # zero point, least and largest output


def integers(sums: np.ndarray, multiplier: int, shift: int, *, once: bool) -> np.ndarray:
    """As LiteRT's reference kernels round, one sum (n,) int64 at a time."""
    if once:
        return np.asarray(sums * multiplier + (1 << 30 - shift)) >> 31 - shift
    high = (sums * multiplier + (1 << 30)) >> 31
    rounded = (np.abs(high) + (1 << -shift - 1)) >> -shift
    return np.asarray(np.where(high < 0, -rounded, rounded))


@pytest.mark.parametrize(
    ("zero", "low", "high", "once"),
    [(*RELU, False), (*RELU, True), (-20, -20, 90, False), (3, -128, 127, True)],
)
def test_of_every_sum(zero: int, low: int, high: int, once: bool) -> None:
    scales = np.random.default_rng(0).uniform(0.003, 0.02, 12)
    factors = [factor(float(scale)) for scale in scales]
    found = real_factors(factors, once, (zero, low, high), np.full(len(factors), MOST))
    assert found is not None
    sums = np.arange(-MOST, MOST + 1)
    for (multiplier, shift), times, plus in zip(factors, *found.view(np.float32), strict=True):
        expected = integers(sums, multiplier, shift, once=once) + zero
        fused = (sums * np.float64(times) + np.float64(plus)).astype(np.float32)
        np.testing.assert_array_equal(
            np.clip(np.rint(fused), low, high), np.clip(expected, low, high)
        )


def test_a_channel_without_weights_is_its_zero_point() -> None:
    found = real_factors([factor(0.0)], True, (7, -128, 127), np.asarray([0]))
    assert found is not None
    assert found.view(np.float32).tolist() == [[0.0], [7.0]]


def test_halves_of_both_signs_are_left_to_the_integers() -> None:
    assert real_factors([factor(0.01)], False, (3, -128, 127), np.asarray([MOST])) is None


@pytest.mark.parametrize(("scale", "most"), [(1e-7, MOST), (1.5, MOST), (0.9, 1 << 26)])
def test_of_others_there_are_none(scale: float, most: int) -> None:
    assert real_factors([factor(0.01), factor(scale)], False, RELU, np.full(2, most)) is None
