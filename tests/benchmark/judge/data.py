"""Targets and outputs of models of several kinds, by a seed."""

import numpy as np

RANDOM = np.random.default_rng(3)
COUNT = 4_000
YES = (RANDOM.random(COUNT) < 0.4).astype(np.int64)
LOGITS = (YES * 2 - 1 + RANDOM.normal(size=COUNT))[:, np.newaxis]
PROBABILITIES = (1 / (1 + np.exp(-LOGITS))).astype(np.float32)
TRUTH = RANDOM.normal(size=(COUNT, 2)).astype(np.float32)
VALUES = TRUTH + RANDOM.normal(size=TRUTH.shape).astype(np.float32) / 4
LABELS = RANDOM.integers(0, 8, COUNT)
SCORES = (3 * np.eye(8)[LABELS] + RANDOM.normal(size=(COUNT, 8))).astype(np.float32)


def noisy(values: np.ndarray, amount: float) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=values.shape)
    return (values + amount * noise).astype(np.float32)
