"""Weights rounded one after the other, each making up for the errors of those before (GPTQ).

What a layer's outputs lose by rounding depends on what it reads: of inputs that go together, the
error of one weight can be taken back by others (Frantar et al. 2022, arXiv 2210.17323; the columns
with the largest inputs first, as its authors' `act_order`).
"""

from dataclasses import dataclass, field

import numpy as np

DAMPING = 0.01  # of the mean of the diagonal, as its authors'
TINY = float(np.finfo(np.float32).tiny)
BLOCK = 128  # columns whose errors are passed on together
NOTHING = "it has no dense or convolution layer with stored weights of its own"


@dataclass(kw_only=True)
class Roundings:
    """What is known of the layers of a float model, of which files are made by the dozen.

    Attributes:
        moments: of what they read, by the names of their kernels; empty before they are found.
        levels: what their weights were rounded to, by the same names, scales and ends of levels.
    """

    moments: dict[str, np.ndarray] = field(default_factory=dict)
    levels: dict[tuple[str, bytes, bytes], np.ndarray] = field(default_factory=dict)

    def rounded(
        self,
        name: str,
        weights: np.ndarray,
        steps: np.ndarray,
        lowest: np.ndarray | int,
        highest: np.ndarray | int,
    ) -> np.ndarray:
        """Returns `rounded_rows` of a kernel, which is always the same, by its moments."""
        ends = b"".join(np.asarray(each).tobytes() for each in (lowest, highest))
        key = name, steps.tobytes(), ends
        if key not in self.levels:
            moments = self.moments[name]
            self.levels[key] = rounded_rows(weights, steps, moments, lowest, highest)
        return self.levels[key]


def rounded_rows(
    weights: np.ndarray,
    steps: np.ndarray,
    moments: np.ndarray,
    lowest: np.ndarray | int,
    highest: np.ndarray | int,
) -> np.ndarray:
    """Returns the levels that a layer's weights are stored as.

    Args:
        weights: (O, n) float, of O outputs with n inputs each.
        steps: (O,) what one level means, above 0; or one for all.
        moments: (1, n, n) the summed products of inputs that all outputs read, or (O, n, n) where
            each reads some of its own.
        lowest: the lowest level that there is, of each output or of all.
        highest: the highest likewise.

    Returns:
        (O, n) int16.
    """
    steps, lows, highs = (np.broadcast_to(each, len(weights)) for each in (steps, lowest, highest))
    if len(moments) == 1:
        return _rounded(weights, steps, moments[0], lows, highs)
    rows = [slice(row, row + 1) for row in range(len(weights))]
    return np.concatenate(
        [_rounded(weights[row], steps[row], moments[row][0], lows[row], highs[row]) for row in rows]
    )


def _rounded(
    weights: np.ndarray,
    steps: np.ndarray,
    moments: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
) -> np.ndarray:
    """Returns the levels that weights are stored as.

    Args:
        weights: (O, n) float, of O outputs that read the same n inputs.
        steps: (O,) what one level means, above 0.
        moments: (n, n) the summed products of the inputs.
        lowest: (O,) the lowest level that there is.
        highest: (O,) the highest.

    Returns:
        (O, n) int16.
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
            levels[:, column] = np.clip(np.rint(left[:, column]), lowest, highest)
            error = (left[:, column] - levels[:, column]) / spread[column, column]
            left[:, column:stop] -= np.outer(error, spread[column, column:stop])
            errors[:, column - start] = error
        left[:, stop:] -= errors @ spread[start:stop, stop:]
    found = np.empty(levels.shape, np.int16)
    found[:, order] = levels
    return found
