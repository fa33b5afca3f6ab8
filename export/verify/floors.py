"""What chance and depth leave of limits, and the least that any file must do."""

import math

import numpy as np

LIMITS_DEPTH = 3  # layers of the networks that the formats' limits were set on
STANDARD_ERRORS = 1.96  # 95 %
# However deep the network, a file that gives the mean output, or the commonest class, whatever the
# input, must be refused: its centred SNR is 0 dB, and its agreement no better than chance.
MIN_CENTRED_SNR_DB = 6.5
MIN_COSINE = 0.8
MOST_NAMES = 256
MIN_AGREEMENT_OVER_CHANCE = 0.25  # of the way from chance to 1


def sampling_error(share: float, count: int) -> float:
    """Returns how far a share of some examples may be from its limit by chance, 95 %.

    Of a few dozen examples one that changes its class is no evidence against a file. The normal
    approximation, of a share in 0…1 of `count` examples.
    """
    return STANDARD_ERRORS * math.sqrt(max(share * (1 - share), 1 / count) / count)


def least_agreement(reference: np.ndarray) -> float:
    """Returns the least agreement with classes that is more than chance by a margin, 0…1.

    Args:
        reference: (N, C) the Keras model's outputs.
    """
    chance = float(np.bincount(reference.argmax(axis=1)).max()) / len(reference)
    return chance + MIN_AGREEMENT_OVER_CHANCE * (1 - chance) if chance < 1 else 0.0


def least_equal(reference: np.ndarray) -> float:
    """Returns the least share of equal values that is more than chance by a margin, 0…1.

    Args:
        reference: (N, …) the Keras model's indices or classes.
    """
    rows = reference.reshape(len(reference), -1)
    names = np.unique(rows)
    if len(names) > MOST_NAMES:  # no value is common
        return MIN_AGREEMENT_OVER_CHANCE
    commonest = np.max([np.mean(rows == name, axis=0) for name in names], axis=0)
    chance = float(np.mean(commonest))
    return chance + MIN_AGREEMENT_OVER_CHANCE * (1 - chance) if chance < 1 else 0.0


def depth_noise(depth: int) -> float:
    """Returns how much more noise a network may have than those that limits were set on, ≥ 1.

    Each layer rounds its weights and its outputs; such errors are independent, and their powers
    add up. Set after measuring: of networks with random weights, 53 layers deep, int8 files lie
    4 to 8 decibels within these limits, wrong ones (another scale of the input, channels swapped)
    at 0 decibels or below.

    Args:
        depth: how many distinct layers with weights are in series.
    """
    return max(1.0, depth / LIMITS_DEPTH)
