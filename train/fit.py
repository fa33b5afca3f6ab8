"""Fits a network, an epoch a call into TensorFlow. Heavy.

Keras's own loop spends a third of an epoch of a network this small on its input pipeline and on
metrics; here the images are placed once, as bytes, and gathered a batch at a time. Everything
random comes from the seed and the number of the epoch (dropout from a seed that is part of the
weights), so that a fit which was cut off and goes on ends as one that was not.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from train import forward
from train.adam import apply
from train.backup import Progression, restore, save
from train.config import Hyperparameters, Recipe
from train.fit_data import EVALUATION_BATCH, VIEWS, FitData, preprocessed, seen
from train.progress import Progress

PATIENCE_SHARE = 1 / 3  # of the epochs: accuracy stalls while the learning rate is still high
MIN_PATIENCE_EPOCHS = 3


class ReportEpochs(keras.callbacks.Callback):
    """Says how a fit goes, an epoch a line."""

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
    trainer = _Trainer(model, hyperparameters.recipe, data)
    rates = learning_rates(hyperparameters, trainer.steps, epochs)
    done = Progression()
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
        logs = trainer.epoch(rates[epoch], np.random.default_rng([seed, epoch]))
        logs.update(trainer.validate())
        for name, value in logs.items():
            done.history.setdefault(name, []).append(value)
        if done.stale_epochs == 0 or keep_last:
            done.best_weights = model.get_weights()
        if backup is not None:
            save(backup, model, done)
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end()
    model.set_weights(done.best_weights)
    return done.history


class _Trainer:
    """One model's epoch as a TensorFlow function."""

    def __init__(self, model: keras.Model, recipe: Recipe, data: FitData) -> None:
        self.steps = max(1, len(data.images) // recipe.batch_size)
        self._batch = min(recipe.batch_size, len(data.images))
        self._recipe = recipe
        self._data = data
        self._model = model
        self._run = tf.function(self._steps)
        self._evaluate = tf.function(self._evaluation)

    def epoch(self, rates: np.ndarray, random: np.random.Generator) -> dict[str, float]:
        """Runs an epoch; returns training loss and accuracy, both measured with dropout."""
        recipe, count = self._recipe, len(self._data.images)
        order = random.permutation(count).astype(np.int32)
        moved = random.random(self.steps) < recipe.shifted
        views = np.where(moved, random.integers(0, len(VIEWS), self.steps), 0).astype(np.int32)
        mirrored = random.random(count) < recipe.mirrored
        loss, accuracy = self._run(*map(tf.constant, (order, rates, views, mirrored)))
        return {"accuracy": float(accuracy), "loss": float(loss)}

    def validate(self) -> dict[str, float]:
        """Returns accuracy and loss on the held-out images."""
        loss, accuracy = self._evaluate()
        return {"val_accuracy": float(accuracy), "val_loss": float(loss)}

    def _steps(
        self, order: tf.Tensor, rates: tf.Tensor, views: tf.Tensor, mirrored: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        model, data, batch = self._model, self._data, self._batch
        optimizer, weights = model.optimizer, model.trainable_variables
        total = tf.zeros(2)
        for step in tf.range(self.steps):
            chosen = order[step * batch : (step + 1) * batch]
            images = tf.gather(data.images, chosen)
            if self._recipe.mirrored:
                flags = mirrored[step * batch : (step + 1) * batch, tf.newaxis, tf.newaxis]
                images = tf.where(flags, images[:, :, ::-1], images)
            if self._recipe.shifted:
                images = seen(images, views[step])
            labels = tf.gather(data.labels, chosen)
            with tf.GradientTape() as tape:
                logits = forward.logits(model, preprocessed(images), training=True)
                loss = self._loss(labels, logits)
            gradients = tape.gradient(loss, [variable.value for variable in weights])
            optimizer.learning_rate.assign(rates[step])
            apply(optimizer, gradients, weights)
            total += tf.stack([loss, _accuracy(labels, logits)])
        means = total / self.steps
        return means[0], means[1]

    def _loss(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Cross-entropy, and the square of what lies outside the recipe's bound.

        Logits as a whole were made small before (logit squeezing, Kannan et al. 2018,
        arXiv:1803.06373); a bound costs those inside it nothing.
        """
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        bound = self._recipe.logit_bound
        if bound is None:
            return loss
        centred = logits - tf.reduce_mean(logits, axis=1, keepdims=True)
        excess = tf.nn.relu(tf.abs(centred) - bound)
        return loss + self._recipe.logit_bound_weight * tf.reduce_mean(tf.square(excess))

    def _evaluation(self) -> tuple[tf.Tensor, tf.Tensor]:
        data = self._data
        logits = tf.concat(
            [
                forward.logits(
                    self._model, preprocessed(data.validation_images[at : at + EVALUATION_BATCH])
                )
                for at in range(0, len(data.validation_images), EVALUATION_BATCH)
            ],
            axis=0,
        )
        labels = data.validation_labels
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.reduce_mean(loss), _accuracy(labels, logits)


def _accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    found = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(found == labels, tf.float32))
