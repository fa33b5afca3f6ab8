"""The area under the ROC curve of an export and of its Keras model, and their difference.

The difference's variance is that of DeLong, DeLong & Clarke-Pearson (1988, Biometrics 44:837-845),
computed from midranks as by Sun & Xu (2014, IEEE Signal Processing Letters 21:1389-1393).
"""

import math
from dataclasses import dataclass

import numpy as np

from benchmark.judge.drop import Drop
from train.common.intervals import CONFIDENCE, normal_quantile


@dataclass(frozen=True, kw_only=True)
class Areas:
    """Two areas under the ROC curve on the same examples.

    Attributes:
        value: the export's, 0…1: how probably a positive example's score is above a negative
            one's, a tie counting half (Mann & Whitney 1947).
        source_value: the Keras model's.
        drop: the second less the first.
    """

    value: float
    source_value: float
    drop: Drop


def compare_areas(scores: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Areas | None:
    """Compares the areas of two sets of scores on the same examples.

    The interval of the drop is a normal one, for many examples of both classes. It shrinks to a
    point where both rank every pair alike, as two perfect models do. With a single example of a
    class there is none.

    Args:
        scores: (N,) finite floats, the export's; larger for the positive class.
        reference: (N,) finite floats, the Keras model's.
        labels: (N,) integers, 1 for the positive class and 0 for the negative.

    Returns:
        None where all labels are the same.
    """
    positive = labels == 1
    if positive.all() or not positive.any():
        return None
    above, below = _placements(scores, positive)
    source_above, source_below = _placements(reference, positive)
    lost = float(source_above.mean() - above.mean())
    low = high = None
    if min(above.size, below.size) > 1:
        variance = sum(
            float(np.var(source - own, ddof=1)) / own.size
            for source, own in ((source_above, above), (source_below, below))
        )
        half = normal_quantile(CONFIDENCE) * math.sqrt(variance)
        low, high = max(-1.0, lost - half), min(1.0, lost + half)
    return Areas(
        value=float(above.mean()),
        source_value=float(source_above.mean()),
        drop=Drop(value=lost, low=low, high=high, count=labels.size),
    )


def _placements(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns of each positive the share of negatives below it, of each negative the converse.

    These are DeLong's structural components; the mean of either is the area.
    """
    ranks = _midranks(scores)
    inside = [_midranks(scores[chosen]) for chosen in (positive, ~positive)]
    # a rank among all less that among one's own counts those of the other class below
    above = (ranks[positive] - inside[0]) / inside[1].size
    below = 1 - (ranks[~positive] - inside[1]) / inside[0].size
    return above, below


def _midranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks from 1, of equal values their mean rank."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
