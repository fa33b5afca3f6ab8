"""The real data set (found as a user's would be), its fixed split, its preprocessing."""

import numpy as np
import pytest

from train.common.errors import DataError
from train.common.files.artifact import array_sha256
from train.data import fashion_mnist as dataset


@pytest.fixture(scope="module")
def training() -> dataset.LabelledImages:
    return dataset.load_train(None)


def test_the_real_images_and_labels(training: dataset.LabelledImages) -> None:
    test = dataset.load_test(None)
    assert training.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert training.images.dtype == training.labels.dtype == np.uint8
    assert np.bincount(training.labels).tolist() == [6_000] * 10
    assert np.bincount(test.labels).tolist() == [1_000] * 10
    assert training.labels[:5].tolist() == [9, 0, 0, 3, 0]  # as in the data set's own README


def test_the_split_is_disjoint_balanced_and_whole(training: dataset.LabelledImages) -> None:
    parts = dataset.split(training.labels)
    together = np.concatenate([parts.train, parts.validation])
    assert np.array_equal(np.sort(together), np.arange(60_000))
    assert np.bincount(training.labels[parts.validation]).tolist() == [600] * 10
    assert np.bincount(training.labels[parts.calibration]).tolist() == [50] * 10
    assert np.isin(parts.calibration, parts.train).all()


def test_the_split_never_changes(training: dataset.LabelledImages) -> None:
    """Records of older models stay comparable: these hashes may not change."""
    parts = dataset.split(training.labels)
    assert array_sha256(parts.validation)[:16] == "b8e54a6b40c7e8aa"
    assert array_sha256(parts.calibration)[:16] == "303cfb538e089df6"
    assert parts.record()["validation"] == {
        "count": 6_000,
        "sha256": array_sha256(parts.validation),
    }


def test_too_few_images_are_refused() -> None:
    expected = r"class 1 has 3 images, expected at least 4 \(2 held out"
    with pytest.raises(DataError, match=expected):
        dataset.split(np.array([0] * 9 + [1] * 3), validation_per_class=2, calibration_samples=4)


def test_preprocessing_maps_pixels_to_the_unit_interval() -> None:
    values = dataset.PREPROCESSING.apply(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    assert (values[0], values[255]) == (0.0, 1.0)
    assert np.allclose(values, np.arange(256) / 255, atol=1e-7)
