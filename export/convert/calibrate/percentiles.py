"""Ranges that leave out the odd examples."""

from collections.abc import Sequence

import numpy as np

CLIPPED_PERCENT = 1.0  # of the examples, on each side


def percentile_range(
    lows: np.ndarray | Sequence[float], highs: np.ndarray | Sequence[float]
) -> tuple[float, float]:
    """Returns the range of a tensor outside of which few examples lie.

    Args:
        lows: (N,) the lowest value of each example.
        highs: (N,) the highest.
    """
    low, high = np.percentile(lows, CLIPPED_PERCENT), np.percentile(highs, 100 - CLIPPED_PERCENT)
    return float(low), float(high)
