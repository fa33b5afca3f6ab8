import math

import numpy as np
import pytest

from benchmark.judge.scoring.auc import Areas, compare_areas


def areas(scores: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Areas:
    found = compare_areas(scores, reference, labels)
    assert found is not None
    return found


def kernel(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(positives, negatives): 1 where the positive is above, ½ where they tie."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None]
    found: np.ndarray = (positive > negative) + (positive == negative) / 2
    return found


def brute_force(
    scores: np.ndarray, reference: np.ndarray, labels: np.ndarray
) -> tuple[float, float, float]:
    """Both areas and the difference's variance from the covariance matrix of DeLong et al."""
    kernels = [kernel(values, labels) for values in (reference, scores)]
    v10, v01 = (np.array([found.mean(axis=axis) for found in kernels]) for axis in (1, 0))
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    contrast = np.array([1, -1])
    return kernels[1].mean(), kernels[0].mean(), float(contrast @ covariance @ contrast)


@pytest.mark.parametrize(("seed", "levels"), [(1, 1_000_000), (2, 8), (3, 2)])
def test_areas_and_variance_are_those_of_all_pairs(seed: int, levels: int) -> None:
    """With few levels most pairs tie, as by an int8 output."""
    random = np.random.default_rng(seed)
    labels = (random.random(150) < 0.3).astype(np.int64)
    truth = labels + random.normal(size=150)
    scores, reference = (
        np.round(levels / (1 + np.exp(-truth - noise * random.normal(size=150)))) / levels
        for noise in (0.9, 0.3)
    )
    value, source_value, variance = brute_force(scores, reference, labels)
    found = areas(scores, reference, labels)
    assert (found.value, found.source_value) == pytest.approx((value, source_value), abs=1e-12)
    half = 1.959964 * math.sqrt(variance)
    assert found.drop.value == pytest.approx(source_value - value, abs=1e-12)
    assert found.drop.interval == pytest.approx(
        (found.drop.value - half, found.drop.value + half), rel=1e-6
    )
    assert found.drop.count == 150


def test_an_area_by_hand() -> None:
    """Five of six pairs in order; the reference ties them all, so its placements have no variance.

    Placements of the positives 1, 1, ½ (variance 1/12), of the negatives 2/3, 1 (variance 1/18):
    together 1/12 / 3 + 1/18 / 2 = 1/18.
    """
    labels = np.array([1, 0, 1, 0, 1])
    found = areas(np.array([0.8, 0.5, 0.6, 0.3, 0.4]), np.full(5, 0.5), labels)
    assert found.value == pytest.approx(5 / 6)
    assert found.source_value == 0.5
    half = 1.959964 * math.sqrt(1 / 18)
    assert found.drop.interval == pytest.approx((-1 / 3 - half, -1 / 3 + half), rel=1e-6)


def test_the_interval_covers_the_true_difference() -> None:
    """For normal scores the area is Φ(d / √2): 0.8556 for a distance of 1.5, 0.7602 for 1."""
    random = np.random.default_rng(5)
    true = 0.855578 - 0.760250
    labels = np.repeat([0, 1], 60)
    covered = 0
    for _ in range(1_000):
        common, *own = random.normal(size=(3, 120))
        mixed = [math.sqrt(0.6) * common + math.sqrt(0.4) * noise for noise in own]
        drop = areas(mixed[0] + labels, mixed[1] + 1.5 * labels, labels).drop
        low, high = drop.interval or (0, 0)
        covered += low <= true <= high
    assert 0.93 <= covered / 1_000 <= 0.97


def test_equal_rankings_lose_nothing() -> None:
    """However different the scores are."""
    random = np.random.default_rng(0)
    scores = random.random(100)
    labels = (random.random(100) < 0.5).astype(np.int64)
    drop = areas(scores**3, scores, labels).drop
    assert (drop.value, drop.interval) == (0, (0, 0))


def test_labels_of_one_class_have_no_area() -> None:
    scores = np.array([0.1, 0.9])
    assert compare_areas(scores, scores, np.array([1, 1])) is None
    assert compare_areas(scores, scores, np.array([0, 0])) is None


def test_a_single_example_of_a_class_has_no_interval() -> None:
    scores = np.array([0.1, 0.9, 0.5])
    found = areas(scores, -scores, np.array([0, 1, 0]))
    assert (found.value, found.source_value, found.drop.value) == (1, 0, -1)
    assert found.drop.interval is None
