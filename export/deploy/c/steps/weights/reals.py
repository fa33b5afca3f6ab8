"""Factors as floating-point numbers, for vector units of hosts, where the same integers come out.

Integer kernels round a sum's product with its factor twice, in 64 bits. The float product rounds
elsewhere, so that some sums would come out one apart; which ones depends on the factor. Both are
monotonic in the sum: if they agree on both sides of each of the (at most 255) sums at which the
output steps, they agree on all. What is added to the product, and the factor's last bits, are
chosen so that they do.
"""

from collections.abc import Sequence

import numpy as np

from export.deploy.c.steps.weights.channels import Layer

EXACT = 1 << 24  # integers that a float holds
LEAST = 2.0**-20  # factors whose products are exact in 53 bits
NEIGHBOURS = sorted(range(-8, 9), key=abs)  # of the factor, in units of the last place
SHARES = (0.5, 0.25, 0.75, 0.0, 1.0)  # of the range of what may be added


def reals(layer: Layer) -> np.ndarray | None:
    """Returns what a layer's outputs are by a multiplication and an addition in 32-bit floats.

    Returns:
        (2, factors) int32, the bits of each channel's factor and of what is added, so that
        round-half-even(fma(sum, factor, added)) within the limits is the output for every sum;
        None where there are none such, as where halves of both signs are rounded, or where there
        is one position only, which is not worth it.
    """
    if layer.output.size == len(layer.bias):
        return None
    most = layer.largest if len(layer.factors) > 1 else layer.largest.max(keepdims=True)
    limits = (layer.output.zero_point, layer.low, layer.high)
    return real_factors(layer.factors, layer.once, limits, most)


def real_factors(
    factors: Sequence[tuple[int, int]], once: bool, limits: tuple[int, int, int], most: np.ndarray
) -> np.ndarray | None:
    """Returns what `reals` returns.

    Args:
        factors: (multiplier, shift) of each channel, as `numbers.factor` makes them.
        once: whether the integer kernel rounds once.
        limits: the output's zero point, the least and the largest output.
        most: the largest absolute sum that there can be of each channel, (factors,).
    """
    zero, low, high = limits
    if not once and low < zero:
        return None  # halves go away from zero, on each side another way
    steps = np.arange(low + 1, high + 1)
    found = []
    for (multiplier, shift), largest in zip(factors, most, strict=True):
        real = _real(multiplier, shift, once, steps, zero, int(largest))
        if real is None:
            return None
        found.append(real)
    return np.asarray(found, np.float32).T.copy().view(np.int32)


def _real(
    multiplier: int, shift: int, once: bool, steps: np.ndarray, zero: int, most: int
) -> tuple[np.float32, np.float32] | None:
    real = multiplier * 2.0 ** (shift - 31)
    constant = np.float32(0), np.float32(zero)
    if not multiplier:
        return constant
    if not LEAST < real < 1 or most * real > EXACT or shift >= 0:
        return None
    # The least sum of each output: found from beside it.
    first = np.ceil((steps - zero - 0.5) / real).astype(np.int64) - 2
    for _ in range(4):
        first += _integer(first, multiplier, shift, once) + zero < steps
    possible = (first <= most) & (first - 1 >= -most)
    first, steps = first[possible], steps[possible]
    if not len(first):
        return constant
    sums = np.concatenate([first, first - 1])
    outputs = _integer(sums, multiplier, shift, once) + zero
    if np.any(outputs != np.concatenate([steps, steps - 1])) or np.abs(sums).max() >= EXACT:
        return None
    factor = np.float32(real)
    for neighbour in NEIGHBOURS:
        times = (factor.view(np.int32) + np.int32(neighbour)).view(np.float32)
        least = (steps - 0.5 - first * np.float64(times)).max()
        most_added = (steps - 0.5 - (first - 1) * np.float64(times)).min()
        for share in SHARES:
            plus = np.float32(least + share * (most_added - least))
            floats = (sums * np.float64(times) + np.float64(plus)).astype(np.float32)
            if np.array_equal(np.rint(floats).astype(np.int64), outputs):
                return times, plus
    return None


def _integer(sums: np.ndarray, multiplier: int, shift: int, once: bool) -> np.ndarray:
    """Returns what `scale.c` and `scale_once.c` make of sums (n,) int64, with a shift below 0."""
    if once:
        return (sums * multiplier + (1 << 30 - shift)) >> 31 - shift
    high = (sums * multiplier + (1 << 30)) >> 31
    return ((high - (high < 0) >> -1 - shift) + 1) >> 1
