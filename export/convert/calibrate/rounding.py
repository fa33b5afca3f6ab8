"""Weights rounded one after the other, each making up for the errors of those before (GPTQ).

What a layer's outputs lose by rounding depends on what it reads: of inputs that go together, the
error of one weight can be taken back by others (Frantar et al. 2022, arXiv 2210.17323; the columns
with the largest inputs first, as its authors' `act_order`).
"""

import numpy as np

DAMPING = 0.01  # of the mean of the diagonal, as its authors'
TINY = float(np.finfo(np.float32).tiny)
BLOCK = 128  # columns whose errors are passed on together


def rounded_weights(
    weights: np.ndarray, steps: np.ndarray, moments: np.ndarray, highest: int
) -> np.ndarray:
    """Returns the levels that weights are stored as.

    Args:
        weights: (O, n) float, of O outputs that read the same n inputs.
        steps: (O,) what one level means, above 0.
        moments: (n, n) the mean products of the inputs.
        highest: levels are -highest…highest.

    Returns:
        (O, n) int8.
    """
    diagonal = np.diag(moments)
    order = np.argsort(-diagonal, kind="stable")
    damped = moments[np.ix_(order, order)].astype(np.float64)
    damped[np.diag_indices_from(damped)] += DAMPING * float(diagonal.mean()) + TINY
    # row by row, how the error of a column is spread over the later ones
    inverse = np.linalg.inv(damped)
    spread = np.linalg.cholesky((inverse + inverse.T) / 2).T
    left = (weights[:, order] / steps[:, np.newaxis]).astype(np.float64)
    levels = np.empty_like(left)
    for start in range(0, left.shape[1], BLOCK):
        stop = min(start + BLOCK, left.shape[1])
        errors = np.empty((len(left), stop - start))
        for column in range(start, stop):
            levels[:, column] = np.clip(np.rint(left[:, column]), -highest, highest)
            error = (left[:, column] - levels[:, column]) / spread[column, column]
            left[:, column:stop] -= np.outer(error, spread[column, column:stop])
            errors[:, column - start] = error
        left[:, stop:] -= errors @ spread[start:stop, stop:]
    found = np.empty(levels.shape, np.int8)
    found[:, order] = levels
    return found
