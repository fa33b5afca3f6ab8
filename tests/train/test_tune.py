"""Search and fit on synthetic data: that what the user fixed stays fixed, and what is recorded."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import synthetic
from train.config import LEARNING_RATE_CHOICES, UNITS_CHOICES, Hyperparameters, TrainConfig
from train.data import LabelledImages
from train.model import CosineAnnealing, FitData, build_model, outputs_of
from train.pipeline import fit
from train.tune import search


class Silent:
    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str, share: float | None = None) -> None:
        self.steps.append(text)

    def milestone(self, text: str) -> None:
        self.steps.append(text)


@pytest.fixture(scope="module")
def data() -> FitData:
    train, validation = synthetic(400, seed=1), synthetic(100, seed=2)
    return FitData.of(
        LabelledImages(images=train.images, labels=train.labels.astype(np.uint8)),
        LabelledImages(images=validation.images, labels=validation.labels.astype(np.uint8)),
    )


def test_the_search_space_is_the_seeds() -> None:
    assert (*range(32, 513, 32),) == UNITS_CHOICES
    assert LEARNING_RATE_CHOICES == (1e-2, 1e-3, 1e-4)


def test_search_finds_the_best_of_its_trials_and_keeps_what_was_given(
    data: FitData, tmp_path: Path
) -> None:
    config = TrainConfig(artifacts=tmp_path, learning_rate=1e-3, seed=3, search_epochs=3)
    report = Silent()
    best, trials = search(config, data, report)
    assert {trial["learning_rate"] for trial in trials} == {1e-3}
    assert {trial["units"] for trial in trials} <= set(UNITS_CHOICES)
    assert len({trial["units"] for trial in trials}) > 1
    assert {trial["status"] for trial in trials} == {"COMPLETED"}
    accuracies = {trial["units"]: trial["validation_accuracy"] for trial in trials}
    assert accuracies[best.units] == max(accuracies.values())
    assert best.learning_rate == 1e-3
    assert report.steps[0].startswith("search: trial 1, ")


def test_annealing_falls_from_the_peak_towards_zero() -> None:
    callback = CosineAnnealing(0.5)
    model = build_model(Hyperparameters(units=2, learning_rate=0.1))
    callback.set_model(model)
    callback.set_params({"epochs": 4, "steps": 10})
    rates = []
    for epoch in range(4):
        callback.on_epoch_begin(epoch)
        for batch in range(0, 10, 5):
            callback.on_train_batch_begin(batch)
            rates.append(float(model.optimizer.learning_rate))
    expected = [0.25 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    assert np.allclose(rates, expected)


def test_fit_learns_keeps_its_best_weights_and_reports(data: FitData) -> None:
    report = Silent()
    model, history = fit(Hyperparameters(units=32, learning_rate=1e-3), 4, data, report)
    assert [step.split(":")[1] for step in report.steps] == [f" epoch {n}/4" for n in range(1, 5)]
    validation = synthetic(100, seed=2)
    found = (outputs_of(model, validation.images).argmax(axis=1) == validation.labels).mean()
    assert found == pytest.approx(max(history["val_accuracy"]), abs=1e-6)
    assert found > 0.5


def test_the_deployed_network_is_the_seeds() -> None:
    model = build_model(Hyperparameters(units=416, learning_rate=1e-3))
    assert model.count_params() == 784 * 416 + 416 + 416 * 10 + 10
    outputs = outputs_of(model, synthetic(3, seed=1).images)
    assert outputs.shape == (3, 10)
    assert np.allclose(outputs.sum(axis=1), 1, atol=1e-6)
