"""Fits a network and keeps the weights of its best epoch.

Everything random comes from the seed and the number of the epoch (dropout from a seed that is part
of the weights), so that a fit which was cut off and goes on ends as one that was not.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from train.common.command.progress import Progress
from train.data.fit_data import FitData
from train.fit.backup import Progression, restore, save
from train.fit.trainer import Trainer
from train.recipes.recipe import Hyperparameters, Recipe

PATIENCE_SHARE = 1 / 3  # of the epochs: accuracy stalls while the learning rate is still high
MIN_PATIENCE_EPOCHS = 3


class ReportEpochs(keras.callbacks.Callback):
    """Reports each epoch of a fit."""

    def __init__(self, report: Progress, name: str = "fit") -> None:
        super().__init__()
        self._report = report
        self._name = name

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reports one epoch."""
        values = logs or {}
        epochs = self.params["epochs"]
        self._report.step(
            f"{self._name}: epoch {epoch + 1}/{epochs}: "
            f"training accuracy {values['accuracy']:.2%}, "
            f"validation accuracy {values['val_accuracy']:.2%}",
            (epoch + 1) / epochs,
        )


def learning_rates(hyperparameters: Hyperparameters, steps: int, epochs: int) -> np.ndarray:
    """Returns the learning rate of every step of a fit, (epochs, steps) float32.

    A linear warm-up to the peak (Goyal et al. 2017, arXiv:1706.02677), then half a cosine to
    zero (Loshchilov & Hutter 2017, arXiv:1608.03983); or the peak throughout. Over the epochs of
    *this* fit: each rung of Hyperband ends annealed, so that short trials forecast long ones.
    """
    recipe, peak = hyperparameters.recipe, hyperparameters.learning_rate
    total = epochs * steps
    if recipe.schedule == "constant":
        return np.full((epochs, steps), peak, np.float32)
    warm = recipe.warm_up * total
    step = np.arange(total) + 0.5
    cosine = 0.5 * (1 + np.cos(np.pi * (step - warm) / (total - warm)))
    shape = np.minimum(step / warm, 1) * np.where(step < warm, 1, cosine) if warm else cosine
    rates: np.ndarray = (peak * shape).astype(np.float32).reshape(epochs, steps)
    return rates


def fit(
    model: keras.Model,
    hyperparameters: Hyperparameters,
    data: FitData,
    *,
    epochs: int,
    seed: int,
    first_epoch: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    patience: int | None = None,
    keep_last: bool = False,
    backup: Path | None = None,
) -> dict[str, list[float]]:
    """Fits a model in place; it ends with the weights of its best epoch.

    The best epoch has the highest validation accuracy; where the learning rate falls to zero, it
    is the last within a standard error of that (Breiman et al. 1984, Classification and Regression
    Trees, section 3.4.3). Among so many noisy epochs the highest is mostly the luckiest.

    Args:
        model: a compiled network whose last layer is a softmax.
        hyperparameters: the recipe and the highest learning rate.
        data: what to fit to and what the best epoch is chosen by.
        epochs: the most epochs.
        seed: of shuffling and augmentation.
        first_epoch: where to begin, for a model that was fitted before.
        callbacks: told of the epochs as in `keras.Model.fit`.
        patience: epochs without a better validation accuracy after which to stop; None for a
            third of them.
        keep_last: whether to fit for all epochs and keep the last weights, whatever they do on
            the held-out images.
        backup: a file to keep the state in after every epoch, and to go on from if it is there.

    Returns:
        By epoch: `accuracy` and `loss` in training, `val_accuracy` and `val_loss`.

    Raises:
        ArtifactError: the backup is of another fit, or corrupt.
    """
    trainer = Trainer(model, hyperparameters.recipe, data)
    rates = learning_rates(hyperparameters, trainer.steps, epochs)
    done = Progression(losses=np.full(len(data.images), np.inf, np.float32))
    if backup is not None and backup.exists():
        done = restore(backup, model)
    patience = patience or max(MIN_PATIENCE_EPOCHS, math.ceil(epochs * PATIENCE_SHARE))
    told = keras.callbacks.CallbackList(list(callbacks), model=model)
    told.set_params({"epochs": epochs, "steps": trainer.steps, "verbose": 0})
    told.on_train_begin()
    model.stop_training = False
    for epoch in range(first_epoch + done.epochs, epochs):
        if done.stale_epochs >= patience and not keep_last:
            break
        told.on_epoch_begin(epoch)
        logs = trainer.epoch(rates[epoch], np.random.default_rng([seed, epoch]), done.losses)
        logs.update(trainer.validate())
        for name, value in logs.items():
            done.history.setdefault(name, []).append(value)
        if keep_last or logs["val_accuracy"] >= _lowest_best(
            done.history["val_accuracy"], hyperparameters.recipe, len(data.validation_images)
        ):
            done.best_weights = model.get_weights()
        if backup is not None:
            save(backup, model, done)
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end()
    model.set_weights(done.best_weights)
    return done.history


def _lowest_best(accuracies: list[float], recipe: Recipe, images: int) -> float:
    """Returns the validation accuracy from which on an epoch is taken for the best so far."""
    highest = max(accuracies)
    if recipe.schedule == "constant":
        return highest
    return highest - math.sqrt(highest * (1 - highest) / images)
