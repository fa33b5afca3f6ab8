"""Weights that make up for each other's rounding."""

import numpy as np

from export.convert.calibrate.rounding import rounded_rows

RANDOM = np.random.RandomState(0)


def test_inputs_that_have_nothing_in_common_leave_plain_rounding() -> None:
    weights = RANDOM.standard_normal((5, 300))
    steps = np.abs(weights).max(axis=1) / 127
    levels = rounded_rows(weights, steps, np.eye(300)[np.newaxis], -127, 127)
    np.testing.assert_array_equal(levels, np.rint(weights / steps[:, np.newaxis]))


def test_errors_of_inputs_that_go_together_cancel() -> None:
    common = RANDOM.standard_normal((2000, 4))
    given = common @ RANDOM.standard_normal((4, 200)) + 0.1 * RANDOM.standard_normal((2000, 200))
    calibrating, others = np.split(given, 2)
    weights = RANDOM.standard_normal((6, 200))
    steps = np.full(6, np.abs(weights).max() / 7)
    levels = rounded_rows(weights, steps, (calibrating.T @ calibrating)[np.newaxis], -7, 7)
    assert np.abs(levels).max() <= 7

    def error(found: np.ndarray) -> float:
        return float(np.mean(((found * steps[:, np.newaxis] - weights) @ others.T) ** 2))

    assert error(levels) < 0.1 * error(np.clip(np.rint(weights / steps[:, np.newaxis]), -7, 7))


def test_inputs_that_are_always_zero_do_no_harm() -> None:
    weights = RANDOM.standard_normal((3, 8))
    steps = np.full(3, 0.1)
    levels = rounded_rows(weights, steps, np.zeros((1, 8, 8)), -127, 127)
    np.testing.assert_array_equal(levels, np.rint(weights / 0.1))


def test_outputs_with_inputs_of_their_own_and_levels_of_their_own() -> None:
    weights = np.asarray([[9.4, -9.4], [9.4, -9.4]])
    moments = np.stack([np.eye(2), np.eye(2)])
    levels = rounded_rows(weights, np.ones(1), moments, np.asarray([-3, -8]), np.asarray([12, 7]))
    np.testing.assert_array_equal(levels, [[9, -3], [7, -8]])
