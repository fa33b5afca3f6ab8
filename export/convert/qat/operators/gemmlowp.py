"""tanh and the logistic function as gemmlowp computes them, in 16 bits, inside TFLite's LSTM.

They are up to a few steps away from the functions, and the roundings of a state add up over the
steps of a sequence. https://github.com/google/gemmlowp/blob/master/fixedpoint/fixedpoint.h
"""

from functools import cache

import numpy as np

LEAST, MOST = -(1 << 15), (1 << 15) - 1
BITS = 15
# exp(-1/8), 1/3, 48/17 and -32/17 in 16 bits, and exp(-2^e) by e.
EXP_EIGHTH, THIRD, NEWTON = 28918, 10923, (23130, -15420)
EXP = {-2: 25520, -1: 19875, 0: 12055, 1: 4435, 2: 600, 3: 11, 4: 0}
NEWTON_STEPS = 3
MANY_BITS, TINY_EXP = 5, 32  # of more integer bits, exp(-32) is zero


@cache
def logistic() -> np.ndarray:
    """Returns the logistic function of 3 integer bits, for each number of 16 bits, (65536,)."""
    a = np.arange(LEAST, MOST + 1)
    x = _newton(_exp_of_negative(-np.abs(a), 3))
    positive = _shifted(x, 1)
    return np.where(a == 0, 1 << 14, np.where(a > 0, positive, MOST - positive)).astype(np.float32)


@cache
def tanh(integer_bits: int) -> np.ndarray:
    """Returns tanh of so many integer bits, for each number of 16 bits, (65536,)."""
    a = np.arange(LEAST, MOST + 1)
    x = _newton(_exp_of_negative(-np.abs(a), integer_bits + 1))
    found = _shifted(x - (1 << 13), 2)
    return np.where(a == 0, 0, np.sign(a) * found).astype(np.float32)


def _exp_of_negative(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """Returns exp of negative numbers with so many integer bits; of none, 15 bits."""
    fraction = BITS - integer_bits
    quarter = 1 << (fraction - 2)
    rest = (a & (quarter - 1)) - quarter
    x = _shifted(rest, integer_bits) + (1 << 12)
    x2 = _times(x, x)
    x3, x4 = _times(x2, x), _times(x2, x2)
    series = _shifted(_times(_shifted(x4, -2) + x3, THIRD) + x2, -1)
    found = _saturated(EXP_EIGHTH + _times(x + series, EXP_EIGHTH))
    for exponent, factor in EXP.items():
        if integer_bits > exponent:
            has_it = ((rest - a) & (1 << (fraction + exponent))) != 0
            found = np.where(has_it, _times(found, factor), found)
    if integer_bits > MANY_BITS:
        found = np.where(a < -(TINY_EXP << fraction), 0, found)
    return np.where(a == 0, MOST, found)


def _newton(a: np.ndarray) -> np.ndarray:
    """Returns 2 / (1 + a) with 2 integer bits, of 0…1 with none."""
    total = a + MOST
    half = (total + 1) // 2  # of positive numbers
    x = NEWTON[0] + _times(half, NEWTON[1])
    for _ in range(NEWTON_STEPS):
        x = x + _shifted(_times(x, (1 << 13) - _times(half, x)), 2)
    return x


def _times(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    product: np.ndarray = a * np.asarray(b)
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    found: np.ndarray = np.sign(nudged) * (np.abs(nudged) >> BITS)
    return _saturated(found)


def _shifted(a: np.ndarray, by: int) -> np.ndarray:
    if by >= 0:
        return _saturated(a << by)
    mask = (1 << -by) - 1
    found: np.ndarray = (a >> -by) + ((a & mask) > (mask >> 1) + (a < 0))
    return found


def _saturated(a: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.clip(a, LEAST, MOST)
    return found
