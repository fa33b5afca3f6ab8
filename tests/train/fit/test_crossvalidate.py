"""That folds are stratified, that every model sees what it should, and what is reported."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from tests.conftest import Heard, synthetic
from train.data.fashion_mnist import LabelledImages
from train.data.fit_data import FitData
from train.fit.crossvalidate import CrossValidation, cross_validate
from train.recipes.recipe import RECIPES, Hyperparameters

HYPERPARAMETERS = Hyperparameters(
    units=16, learning_rate=3e-3, recipe=replace(RECIPES["notebook"], schedule="cosine")
)


def run(folds: int, seed: int) -> CrossValidation:
    sample = synthetic(300, seed=1)
    training = LabelledImages(images=sample.images, labels=sample.labels.astype(np.uint8))
    return cross_validate(
        HYPERPARAMETERS, training, folds=folds, epochs=2, seed=seed, report=Heard()
    )


def test_every_image_is_judged_once_by_a_model_that_has_not_seen_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[bytes] = []

    def fit(model: keras.Model, chosen: Any, data: FitData, **options: Any) -> None:
        assert chosen == HYPERPARAMETERS
        assert options == {"epochs": 2, "seed": 5, "keep_last": True}
        assert set(np.bincount(data.validation_labels)) == {10}  # of each class
        fold = {image.tobytes() for image in data.validation_images.numpy()}
        assert fold.isdisjoint(image.tobytes() for image in data.images.numpy())
        judged.extend(fold)

    monkeypatch.setattr("train.fit.crossvalidate.fit", fit)
    assert len(run(3, seed=5).accuracies) == 3
    assert len(judged) == len(set(judged)) == 300


def test_mean_and_deviation_are_of_the_folds_and_repeat_themselves() -> None:
    found = run(2, seed=1)
    assert found.mean == pytest.approx(np.mean(found.accuracies))
    assert found.deviation == pytest.approx(np.std(found.accuracies, ddof=1))
    assert found.mean > 0.3
    assert run(2, seed=1) == found
