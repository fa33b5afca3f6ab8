"""Biases that take back what rounded weights add on average (bias correction).

A layer's weights are rounded in one direction more than in the other, and what it reads has a mean:
the error of its outputs has one too, and adds up from layer to layer. The bias takes it back
(Nagel et al. 2019, arXiv 1906.04721, with the means of calibration examples).
"""

from collections.abc import Iterable, Mapping

import numpy as np

MOST_NOISE = 0.25  # of the weights' power, that rounding to 4 bits is far below
NOTHING = "it has no layer with stored weights and a bias of its own"


class NothingToCorrectError(ValueError):
    """No layer of a file has weights or a bias that can be corrected."""


def means_of(
    examples: Iterable[Mapping[str, np.ndarray]], widths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Returns the mean of each channel of tensors.

    Args:
        examples: real values of tensors (…, C), by name, for some examples after the other.
        widths: how many channels are last, by the names of the tensors that are looked at.

    Returns:
        (C,) float64 by name.
    """
    sums: dict[str, np.ndarray] = {}
    count = 0
    for values in examples:
        count += 1
        for name in widths.keys() & values.keys():
            mean = values[name].reshape(-1, widths[name]).mean(axis=0, dtype=np.float64)
            sums[name] = sums.get(name, 0) + mean
    return {name: total / count for name, total in sums.items()}


def corrections(rounded: np.ndarray, weights: np.ndarray, means: np.ndarray) -> np.ndarray | None:
    """Returns what rounded weights add to the outputs on average, (O,).

    Padding is taken for inside.

    Args:
        rounded: (O, n, C) what the integers mean, of O outputs, n places and C channels.
        weights: the float weights, of the same shape.
        means: (C,) of what the layer reads; or (O, 1) if each output reads a channel of its own.

    Returns:
        None if the two are not the same weights, but for rounding.
    """
    added = rounded.astype(np.float64) - weights
    if np.square(added).sum() > MOST_NOISE * np.square(weights, dtype=np.float64).sum():
        return None
    total: np.ndarray = np.sum(added.sum(axis=1) * means, axis=-1)
    return total
