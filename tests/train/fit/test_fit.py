"""One fit on synthetic data: schedule, targets, best weights, and that it can be cut off."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import Heard, synthetic
from train.common.errors import ArtifactError
from train.data.fashion_mnist import LabelledImages
from train.data.fit_data import FitData, preprocessed
from train.fit import forward
from train.fit.fit import ReportEpochs, fit, learning_rates
from train.fit.model import build_model, deployed, outputs_of
from train.recipes.recipe import RECIPES, Hyperparameters

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

RECIPE = replace(RECIPES["default"], batch_size=50)
SMALL = Hyperparameters(units=24, learning_rate=3e-3, recipe=RECIPE)

VALIDATION = synthetic(100, seed=2)


class CutOffError(Exception):
    pass


class CutOff(keras.callbacks.Callback):
    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self._epoch:
            raise CutOffError


def images(count: int, seed: int) -> LabelledImages:
    found = synthetic(count, seed)
    return LabelledImages(images=found.images, labels=found.labels.astype(np.uint8))


@pytest.fixture(scope="module")
def data() -> FitData:
    return FitData.of(images(400, seed=1), images(100, seed=2))


def built(hyperparameters: Hyperparameters = SMALL, seed: int = 1) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_model(hyperparameters)


def run(data: FitData, **options: Any) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    model = built()
    history = fit(model, SMALL, data, **{"epochs": 5, "seed": 1, **options})
    return model.get_weights(), history


@pytest.fixture(scope="module")
def five_epochs(data: FitData) -> tuple[list[np.ndarray], dict[str, list[float]]]:
    return run(data)


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    recipe = replace(RECIPE, warm_up=0.1)
    chosen = replace(SMALL, learning_rate=0.5, recipe=recipe)
    rates = learning_rates(chosen, steps=50, epochs=4)
    assert rates.shape == (4, 50)
    assert np.allclose(rates[0, :20], 0.5 * (np.arange(20) + 0.5) / 20)
    rest = np.arange(20, 200) + 0.5
    assert np.allclose(rates.ravel()[20:], 0.25 * (1 + np.cos(np.pi * (rest - 20) / 180)))
    assert rates[-1, -1] < 1e-4
    constant = replace(chosen, recipe=RECIPES["notebook"])
    assert set(learning_rates(constant, steps=3, epochs=2).ravel()) == {np.float32(0.5)}


def test_the_notebooks_recipe_is_what_the_notebook_did() -> None:
    recipe = RECIPES["notebook"]
    assert (recipe.units, recipe.epochs, recipe.batch_size) == (416, 35, 32)
    assert (recipe.dropout, recipe.shifted, recipe.mirrored) == (0, 0, 0)


def test_a_fit_learns_keeps_its_best_weights_and_reports(data: FitData) -> None:
    heard = Heard()
    model = built()
    told = [ReportEpochs(heard)]
    constant = replace(SMALL, recipe=replace(RECIPE, schedule="constant"))
    history = fit(model, constant, data, epochs=6, seed=1, callbacks=told, patience=6)
    assert [step.split(":")[1] for step in heard.steps] == [f" epoch {n}/6" for n in range(1, 7)]
    found = (outputs_of(model, VALIDATION.images).argmax(axis=1) == VALIDATION.labels).mean()
    assert found == pytest.approx(max(history["val_accuracy"]), abs=1e-6)
    assert found > 0.8
    assert history["loss"][-1] < history["loss"][0]


class Judged(keras.callbacks.Callback):
    """Gives epochs weights and validation accuracies, and remembers both."""

    def __init__(self, accuracies: list[float]) -> None:
        super().__init__()
        self._accuracies = accuracies
        self.weights: list[list[np.ndarray]] = []

    def epoch(self, *_: Any) -> dict[str, float]:
        self.weights.append([values + 1 for values in self.model.get_weights()])
        self.model.set_weights(self.weights[-1])
        return {"accuracy": 0.5, "loss": 1.0}

    def validate(self) -> dict[str, float]:
        return {"val_accuracy": self._accuracies[len(self.weights) - 1], "val_loss": 1.0}


@pytest.mark.parametrize(
    ("schedule", "accuracies", "best"),
    [
        ("constant", [0.80, 0.90, 0.89, 0.85], 1),
        ("cosine", [0.80, 0.90, 0.89, 0.85], 2),  # a standard error of 100 images is 0.03
        ("cosine", [0.80, 0.90, 0.86, 0.85], 1),
        ("cosine", [0.90, 0.80, 0.80, 0.95], 3),
        ("cosine", [0.90, 0.88, 0.80, 0.88], 3),
    ],
)
def test_the_last_of_the_best_epochs_is_kept(
    schedule: Literal["cosine", "constant"],
    accuracies: list[float],
    best: int,
    data: FitData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = Judged(accuracies)
    monkeypatch.setattr("train.fit.trainer.Trainer.epoch", judged.epoch)
    monkeypatch.setattr("train.fit.trainer.Trainer.validate", judged.validate)
    model = built()
    chosen = replace(SMALL, recipe=replace(RECIPE, schedule=schedule))
    fit(model, chosen, data, epochs=4, seed=1, callbacks=[judged], patience=4)
    for found, wanted in zip(model.get_weights(), judged.weights[best], strict=True):
        assert np.array_equal(found, wanted)


def test_a_fit_stops_when_nothing_gets_better(
    data: FitData, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled = {"val_accuracy": 0.9, "val_loss": 1.0}
    monkeypatch.setattr("train.fit.trainer.Trainer.validate", lambda _: stalled)
    monkeypatch.setattr("train.fit.trainer.Trainer.epoch", lambda *_: {"loss": 1.0})

    def epochs(limit: int, **options: Any) -> int:
        return len(fit(built(), SMALL, data, epochs=limit, seed=1, **options)["loss"])

    assert epochs(20) == 1 + 7
    assert epochs(9, patience=2) == 3
    assert epochs(9, keep_last=True) == 9


def test_the_last_weights_are_kept_if_asked(data: FitData) -> None:
    weights, _ = run(data, keep_last=True, callbacks=[last := Last()])
    assert all(np.array_equal(a, b) for a, b in zip(weights, last.weights, strict=True))


class Last(keras.callbacks.Callback):
    weights: list[np.ndarray]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.weights = self.model.get_weights()


def test_the_same_seed_gives_the_same_weights(
    data: FitData, five_epochs: tuple[list[np.ndarray], dict[str, list[float]]]
) -> None:
    first, history = five_epochs
    again, history_again = run(data)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert history == history_again
    other, _ = run(data, seed=2)
    assert not np.array_equal(first[0], other[0])


def test_a_fit_that_was_cut_off_goes_on_and_ends_as_if_it_had_not(
    data: FitData,
    five_epochs: tuple[list[np.ndarray], dict[str, list[float]]],
    tmp_path: Path,
) -> None:
    wanted, history = five_epochs
    backup = tmp_path / "state.npz"
    with pytest.raises(CutOffError):
        run(data, backup=backup, callbacks=[CutOff(2)])
    heard = Heard()
    found, history_found = run(data, backup=backup, callbacks=[ReportEpochs(heard)])
    assert [step.split(":")[1] for step in heard.steps] == [" epoch 4/5", " epoch 5/5"]
    assert history_found == history
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all"])
def test_a_corrupt_state_is_named(content: bytes, data: FitData, tmp_path: Path) -> None:
    backup = tmp_path / "state.npz"
    backup.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"state\.npz, the state of the fit .* is corrupt"):
        run(data, backup=backup)


def test_a_truncated_state_or_another_networks_is_named(data: FitData, tmp_path: Path) -> None:
    backup = tmp_path / "state.npz"
    with pytest.raises(CutOffError):
        run(data, backup=backup, callbacks=[CutOff(0)])
    whole = backup.read_bytes()
    wider = replace(SMALL, units=25)
    with pytest.raises(ArtifactError, match="is corrupt"):
        fit(built(wider), wider, data, epochs=5, seed=1, backup=backup)
    backup.write_bytes(whole[:-100])
    with pytest.raises(ArtifactError, match="leave --resume out"):
        run(data, backup=backup)


def test_the_deployed_network_is_the_notebooks() -> None:
    model = build_model(Hyperparameters(units=416, learning_rate=1e-3, recipe=RECIPES["default"]))
    assert model.count_params() == 784 * 416 + 416 + 416 * 10 + 10
    outputs = outputs_of(model, synthetic(3, seed=1).images)
    assert outputs.shape == (3, 10)
    assert np.allclose(outputs.sum(axis=1), 1, atol=1e-6)


def test_the_small_network_is_separable_and_small() -> None:
    chosen = Hyperparameters(units=12, learning_rate=1e-3, recipe=RECIPES["cnn"])
    model = built(chosen)
    assert outputs_of(model, VALIDATION.images).shape == (100, 10)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"DepthwiseConv2D", "BatchNormalization", "GlobalAveragePooling2D"} <= kinds
    assert model.count_params() < 6_000


def test_what_centred_the_inputs_is_folded_into_the_network_that_ships(data: FitData) -> None:
    keras.utils.set_random_seed(1)
    model = build_model(SMALL, data.mean_input())
    fit(model, SMALL, data, epochs=3, seed=1)
    shipped = deployed(model, SMALL)
    kinds = [type(layer).__name__ for layer in shipped.layers]
    assert kinds == ["InputLayer", "Flatten", "Dense", "Dropout", "Dense"]
    assert "Normalization" in {type(layer).__name__ for layer in model.layers}
    found, wanted = (outputs_of(each, VALIDATION.images) for each in (shipped, model))
    assert np.allclose(found, wanted, atol=1e-5)
    assert np.ptp(wanted) > 0.5


def test_centred_inputs_have_a_mean_of_zero_and_the_cnn_centres_its_own(data: FitData) -> None:
    model = build_model(SMALL, data.mean_input())
    inputs = preprocessed(data.images)
    (layer,) = (each for each in model.layers if type(each).__name__ == "Normalization")
    assert np.allclose(layer(inputs).numpy().mean(axis=0), 0, atol=1e-5)
    assert np.allclose(layer(inputs) * 0.5, inputs - tf.reduce_mean(inputs, 0), atol=1e-5)
    chosen = Hyperparameters(units=4, learning_rate=1e-3, recipe=RECIPES["cnn"])
    plain, given = build_model(chosen), build_model(chosen, data.mean_input())
    assert len(plain.layers) == len(given.layers)


def test_narrow_networks_get_less_dropout() -> None:
    recipe = RECIPES["default"]
    assert recipe.dropout_of(416) == recipe.dropout_of(256) == 0.4
    assert recipe.dropout_of(64) == pytest.approx(0.1)


def test_the_bound_holds_the_outputs_before_the_softmax(data: FitData) -> None:
    def largest(bound: float | None) -> float:
        recipe = replace(RECIPE, logit_bound=bound, logit_bound_weight=10.0)
        chosen = replace(SMALL, recipe=recipe)
        model = built(chosen)
        fit(model, chosen, data, epochs=20, seed=1, keep_last=True)
        found = forward.logits(model, preprocessed(tf.constant(VALIDATION.images)))
        centred = found - tf.reduce_mean(found, axis=1, keepdims=True)
        return float(tf.reduce_max(tf.abs(centred)))

    unbound = largest(None)
    assert largest(unbound / 2) < 0.8 * unbound
    assert largest(2 * unbound) == pytest.approx(unbound)  # inside the bound nothing changes
