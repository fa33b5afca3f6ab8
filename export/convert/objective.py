"""What a copy is fine-tuned to, and how.

The teacher is the model itself: its outputs are the targets (Hinton et al. 2015,
https://arxiv.org/abs/1503.02531), mixed with the truth where that is known and both are
probabilities, so that the copy stays close to it. Only the training split is seen.
"""

import math
from dataclasses import dataclass

import numpy as np

from export.convert.source import SourceModel
from export.model.loaded import batch_size

BATCH_SIZE = 256
SMALL_BATCH = 16
STEPS_PER_EPOCH = 20  # at least, where the data allow batches of `SMALL_BATCH`
TEACHER_SHARE = 0.9  # of the targets; the rest are the labels
SUM_TOLERANCE = 1e-2  # of probabilities, to 1; half precision is this coarse


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What one output is trained to: targets (N, …) float32, and a loss with its weight."""

    targets: np.ndarray
    loss: str
    weight: float


def objective(outputs: np.ndarray, truth: np.ndarray | None) -> Objective:
    """Returns what an output is trained to.

    Args:
        outputs: the teacher's, (N, …).
        truth: integer classes (N,), or values of the same shape as the outputs; None if unknown.

    Returns:
        Probabilities of classes, (N, C) with rows that sum to 1, are trained with categorical
        cross-entropy, a single one, (N, 1) in 0…1, with binary cross-entropy; anything else with
        the squared error, in units of its variance so that several outputs weigh alike.
    """
    outputs = outputs.astype(np.float32)
    is_share = outputs.ndim == 2 and outputs.min() >= 0 and outputs.max() <= 1
    if is_share and outputs.shape[1] == 1:
        return Objective(targets=_mixed(outputs, truth), loss="binary_crossentropy", weight=1)
    if is_share and np.abs(outputs.sum(axis=1) - 1).max() <= SUM_TOLERANCE:
        return Objective(targets=_mixed(outputs, truth), loss="categorical_crossentropy", weight=1)
    variance = float(outputs.var(dtype=np.float64))
    return Objective(targets=outputs, loss="mean_squared_error", weight=1 / (variance or 1))


def _mixed(outputs: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Returns the teacher's probabilities with a share of the true ones, as far as these are."""
    if truth is None:
        return outputs
    if truth.shape == outputs.shape:
        if truth.min() < 0 or truth.max() > 1:
            return outputs
        shares = truth
    elif outputs.shape[1] == 1:
        shares = truth[:, np.newaxis]
    else:
        shares = np.eye(outputs.shape[1], dtype=np.float32)[truth]
    mixed = TEACHER_SHARE * outputs + (1 - TEACHER_SHARE) * shares.astype(np.float32)
    return mixed.astype(np.float32)


def training_batch(source: SourceModel) -> int:
    """Returns how many examples go into a step: fewer where there are few, or large ones."""
    count = source.training_count()
    few = max(SMALL_BATCH, count // STEPS_PER_EPOCH)
    return min(count, few, BATCH_SIZE, batch_size(source.inputs))


def training_steps(source: SourceModel, epochs: int) -> int:
    """Returns how many steps so many epochs take."""
    return epochs * math.ceil(source.training_count() / training_batch(source))
