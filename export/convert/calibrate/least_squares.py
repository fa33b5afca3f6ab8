"""Ranges that leave the least squared error: what is clipped, and what is rounded.

A range from the lowest to the highest value holds all of them, with steps as wide as the rarest
needs. Sakr et al. 2022 (arXiv:2206.06501) balance the two; here by trying ends on a histogram.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np

STEPS = 255  # of 8 bits
BINS = 4_096
VALUES = 16_384  # of a tensor, that are looked at of each example
EXAMPLES = 128
SHARES = np.geomspace(0.02, 1.0, 96)  # of an end, that are tried
Ranges = Mapping[str, tuple[float, float]]


def least_squares_ranges(
    examples: Iterable[Mapping[str, np.ndarray]], extremes: Ranges
) -> dict[str, tuple[float, float]]:
    """Returns the lowest and the highest value that each tensor's integers should hold.

    Args:
        examples: real values of tensors, by name, for some examples after the other.
        extremes: lowest and highest value of each over all examples, finite.

    Returns:
        By the name of each tensor in both; within the extremes and zero.
    """
    counts = {
        name: np.zeros(BINS, np.int64) for name, (low, high) in extremes.items() if high > low
    }
    for values in examples:
        for name in values.keys() & counts.keys():
            low, high = extremes[name]
            some = _some(values[name])
            places = ((some - low) * (BINS / (high - low))).astype(np.int64)
            counts[name] += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)
    return {name: _best(found, *extremes[name]) for name, found in counts.items() if found.any()}


def _some(values: np.ndarray) -> np.ndarray:
    """Returns evenly spaced values of all channels."""
    step = max(1, values.size // VALUES)
    while math.gcd(step, values.shape[-1] if values.ndim else 1) > 1:
        step += 1
    some: np.ndarray = values.ravel()[::step]
    return some


def _best(counts: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Returns the ends of least squared error of values, counted in bins between two extremes."""
    edges = np.linspace(low, high, BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    lows, highs = min(low, 0.0) * SHARES, max(high, 0.0) * SHARES
    if low >= 0:
        lows = lows[-1:]
    if high <= 0:
        highs = highs[-1:]
    below = np.maximum(lows[:, np.newaxis] - middles, 0) ** 2 @ counts
    above = np.maximum(middles - highs[:, np.newaxis], 0) ** 2 @ counts
    steps = (highs - lows[:, np.newaxis]) / STEPS
    errors = below[:, np.newaxis] + above + counts.sum() * steps**2 / 12
    place = np.unravel_index(int(errors.argmin()), errors.shape)
    return float(lows[place[0]]), float(highs[place[1]])
