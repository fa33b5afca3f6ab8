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

from train.common.progress import Progress
from train.config import Hyperparameters, Recipe
from train.data.fit_data import EVALUATION_BATCH, VIEWS, FitData, kept, preprocessed, seen
from train.fit import forward
from train.fit.adam import apply
from train.fit.backup import Progression, restore, save

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
    trainer = _Trainer(model, hyperparameters.recipe, data)
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


class _Trainer:
    """One model's epoch as a TensorFlow function."""

    def __init__(self, model: keras.Model, recipe: Recipe, data: FitData) -> None:
        self.steps = max(1, len(data.images) // recipe.batch_size)
        self._batch = min(recipe.batch_size, len(data.images))
        self._recipe = recipe
        self._data = data
        self._model = model
        self._run = tf.function(self._steps, autograph=False)
        self._evaluate = tf.function(self._evaluation, autograph=False)

    def epoch(
        self, rates: np.ndarray, random: np.random.Generator, losses: np.ndarray
    ) -> dict[str, float]:
        """Runs an epoch; returns training loss and accuracy, both measured with dropout.

        Args:
            rates: of learning, one a step of an epoch that leaves nothing out.
            random: decides what is left out, the order and how images are seen.
            losses: (N,) of every image when it was last seen; those of this epoch are written.
        """
        recipe = self._recipe
        chosen, weights = kept(losses, recipe.learnt_skipped, random)
        steps = max(1, len(chosen) // self._batch)
        order = random.permutation(len(chosen))[: steps * self._batch]
        chosen, weights = chosen[order], weights[order]
        moved = random.random(steps) < recipe.shifted
        views = np.where(moved, random.integers(0, len(VIEWS), steps), 0)
        mirrored = random.random(len(chosen)) < recipe.mirrored
        rates = rates[np.arange(steps) * len(rates) // steps]
        drawn = (chosen, weights, rates, views.astype(np.int32), mirrored)
        found, hits = (values.numpy() for values in self._run(*map(tf.constant, drawn)))
        losses[chosen] = found
        return {
            "accuracy": float(np.average(hits, weights=weights)),
            "loss": float(np.average(found, weights=weights)),
        }

    def validate(self) -> dict[str, float]:
        """Returns accuracy and loss on the held-out images."""
        loss, accuracy = self._evaluate()
        return {"val_accuracy": float(accuracy), "val_loss": float(loss)}

    def _steps(
        self,
        order: tf.Tensor,
        weights: tf.Tensor,
        rates: tf.Tensor,
        views: tf.Tensor,
        mirrored: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss of every image in the order, and whether its class was found."""
        model, data, batch = self._model, self._data, self._batch
        optimizer, variables = model.optimizer, model.trainable_variables
        steps = tf.size(rates)
        losses, hits = (
            tf.TensorArray(kind, steps, infer_shape=False, element_shape=(None,))
            for kind in (tf.float32, tf.bool)
        )

        def one_step(
            step: tf.Tensor, losses: tf.TensorArray, hits: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            part = slice(step * batch, (step + 1) * batch)
            images = tf.gather(data.images, order[part])
            if self._recipe.mirrored:
                flags = mirrored[part][:, tf.newaxis, tf.newaxis]
                images = tf.where(flags, images[:, :, ::-1], images)
            if self._recipe.shifted:
                images = seen(images, views[step])
            labels = tf.gather(data.labels, order[part])
            with tf.GradientTape() as tape:
                logits = forward.logits(model, preprocessed(images), training=True)
                found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                loss = tf.reduce_mean(found * weights[part]) + self._excess(logits)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.learning_rate.assign(rates[step])
            apply(optimizer, gradients, variables)
            return step + 1, losses.write(step, found), hits.write(step, _hits(labels, logits))

        start = tf.constant(0), losses, hits
        _, losses, hits = tf.while_loop(lambda step, *_: step < steps, one_step, start)
        return losses.concat(), hits.concat()

    def _excess(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the loss of what lies outside the recipe's bound, squared.

        Logits as a whole were made small before (logit squeezing, Kannan et al. 2018,
        arXiv:1803.06373); a bound costs those inside it nothing.
        """
        bound = self._recipe.logit_bound
        if bound is None:
            return tf.zeros(())
        centred = logits - tf.reduce_mean(logits, axis=1, keepdims=True)
        excess = tf.nn.relu(tf.abs(centred) - bound)
        return self._recipe.logit_bound_weight * tf.reduce_mean(tf.square(excess))

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
        accuracy = tf.reduce_mean(tf.cast(_hits(labels, logits), tf.float32))
        return tf.reduce_mean(loss), accuracy


def _hits(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.argmax(logits, axis=1, output_type=tf.int32) == labels
