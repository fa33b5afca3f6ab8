"""Ranges between what is clipped and what is rounded."""

import numpy as np
import pytest

from export.convert.calibrate.least_squares import least_squares_ranges

RANDOM = np.random.RandomState(4)


def error(values: np.ndarray, low: float, high: float) -> float:
    """The mean squared error of values in 256 steps of a range."""
    step = (high - low) / 255
    kept = np.clip(np.rint((values - low) / step), 0, 255) * step + low
    return float(np.mean((kept - values) ** 2))


@pytest.mark.parametrize(
    ("values", "gain"),
    [
        (np.append(RANDOM.standard_normal(100_000), [60.0, -45.0]).astype(np.float32), 10.0),
        (np.maximum(RANDOM.standard_t(3, 100_000), 0).astype(np.float32), 1.0),
        (RANDOM.random_sample(100_000).astype(np.float32), 0.99),
        (-RANDOM.exponential(1, 100_000).astype(np.float32), 1.1),
    ],
)
def test_no_range_has_much_less_error(values: np.ndarray, gain: float) -> None:
    low, high = float(min(values.min(), 0)), float(max(values.max(), 0))
    extremes = {"x": (float(values.min()), float(values.max()))}
    found = least_squares_ranges([{"x": part} for part in np.split(values[:99_990], 10)], extremes)
    best = error(values[:99_990], *found["x"])
    assert error(values[:99_990], low, high) > gain * best
    tried = [error(values[:99_990], low * a, high * b) for a in SHARES for b in SHARES]
    assert best < 1.05 * min(tried)


SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def test_all_channels_of_a_large_tensor_count() -> None:
    values = RANDOM.standard_normal((1, 64, 64, 16)).astype(np.float32)
    values[..., 7] *= 20  # as much as all others together, and no odd value
    extremes = {"x": (float(values.min()), float(values.max())), "unseen": (0.0, 1.0)}
    found = least_squares_ranges([{"x": values}], extremes)
    assert found.keys() == {"x"}
    assert found["x"][1] > 2.5 * 20


def test_a_tensor_that_never_changes_has_no_range_to_choose() -> None:
    assert least_squares_ranges([{"x": np.ones(3, np.float32)}], {"x": (1.0, 1.0)}) == {}
