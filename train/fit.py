"""Fits a network, an epoch a call into TensorFlow. Heavy.

Keras's own loop spends a third of an epoch of a network this small on its input pipeline and on
metrics; here the images are placed once, as bytes, and gathered a batch at a time. Everything
random comes from the seed and the number of the epoch (dropout from a seed that is part of the
weights), so that a fit which was cut off and goes on ends as one that was not.
"""

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from train.config import Hyperparameters, Recipe
from train.data import PREPROCESSING, LabelledImages
from train.errors import ArtifactError
from train.progress import Progress

EVALUATION_BATCH = 2_000
PATIENCE_SHARE = 1 / 3  # of the epochs: accuracy stalls while the learning rate is still high
MIN_PATIENCE_EPOCHS = 3
# Where an image is looked at: as it is, and moved by one pixel up, down, left, right.
VIEWS = np.array([[1, 1], [0, 1], [2, 1], [1, 0], [1, 2]], np.int32)


@dataclass(frozen=True, kw_only=True)
class FitData:
    """Training and validation data, placed once and shared by every fit.

    `images` (N, 28, 28) uint8, `labels` (N,) int32, the same held out, and `soft_targets`
    (views, N, 10) float32, a teacher's logits of the training images in each of `VIEWS`.
    """

    images: tf.Tensor
    labels: tf.Tensor
    validation_images: tf.Tensor
    validation_labels: tf.Tensor
    soft_targets: tf.Tensor | None = None

    @classmethod
    def of(cls, train: LabelledImages, validation: LabelledImages) -> "FitData":
        """Places both parts."""
        return cls(
            images=tf.constant(train.images),
            labels=tf.constant(train.labels.astype(np.int32)),
            validation_images=tf.constant(validation.images),
            validation_labels=tf.constant(validation.labels.astype(np.int32)),
        )

    def first(self, share: float) -> "FitData":
        """Returns the first share of the training images, 0…1, and all held-out ones."""
        count = int(len(self.images) * share)
        soft = self.soft_targets
        return replace(
            self,
            images=self.images[:count],
            labels=self.labels[:count],
            soft_targets=None if soft is None else soft[:, :count],
        )


@dataclass(kw_only=True)
class Progression:
    """How far a fit is: its curves by epoch, and the weights of the best epoch."""

    history: dict[str, list[float]] = field(default_factory=dict)
    best_weights: list[np.ndarray] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return len(self.history.get("val_accuracy", ()))

    @property
    def stale_epochs(self) -> int:
        """How many epochs ago validation accuracy was best for the first time."""
        return self.epochs and self.epochs - 1 - int(np.argmax(self.history["val_accuracy"]))


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
        done = _restore(backup, model)
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
            _save(backup, model, done)
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
        if data.soft_targets is not None:
            self._soft = tf.reshape(data.soft_targets, (-1, data.soft_targets.shape[-1]))
        self._with_logits = _with_logits(model)
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
        data, batch = self._data, self._batch
        optimizer, weights = self._model.optimizer, self._model.trainable_variables
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
                logits = self._with_logits(preprocessed(images), training=True)
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                )
                if data.soft_targets is not None:
                    soft = tf.gather(self._soft, chosen + views[step] * len(data.images))
                    loss = self._distilled(loss, soft, logits)
            gradients = tape.gradient(loss, [variable.value for variable in weights])
            optimizer.learning_rate.assign(rates[step])
            optimizer.apply(gradients, weights)
            total += tf.stack([loss, _accuracy(labels, logits)])
        means = total / self.steps
        return means[0], means[1]

    def _distilled(self, loss: tf.Tensor, soft: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Mixes in the teacher, softened by a temperature (Hinton et al. 2015, arXiv:1503.02531).

        The gradients of softened targets shrink with the temperature's square, so its part grows
        with it.
        """
        share, temperature = self._recipe.soft_share, self._recipe.temperature
        taught = tf.nn.softmax_cross_entropy_with_logits(
            tf.nn.softmax(soft / temperature), logits / temperature
        )
        return (1 - share) * loss + share * temperature**2 * tf.reduce_mean(taught)

    def _evaluation(self) -> tuple[tf.Tensor, tf.Tensor]:
        data = self._data
        logits = tf.concat(
            [
                self._with_logits(preprocessed(data.validation_images[at : at + EVALUATION_BATCH]))
                for at in range(0, len(data.validation_images), EVALUATION_BATCH)
            ],
            axis=0,
        )
        labels = data.validation_labels
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.reduce_mean(loss), _accuracy(labels, logits)


def preprocessed(images: tf.Tensor) -> tf.Tensor:
    """Returns the model's input of raw images, as `data.PREPROCESSING` does."""
    return tf.cast(images, tf.float32) * PREPROCESSING.scale + PREPROCESSING.offset


def seen(images: tf.Tensor, view: tf.Tensor) -> tf.Tensor:
    """Returns images (N, 28, 28) as they are seen in one of `VIEWS`, black where nothing is."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1]])
    top, left = tf.unstack(tf.constant(VIEWS)[view])
    height, width = images.shape[1:]
    moved = padded[:, top : top + height, left : left + width]
    return tf.ensure_shape(moved, images.shape)


def logits_of(model: keras.Model, images: tf.Tensor, view: int = 0) -> tf.Tensor:
    """Returns a network's outputs before its softmax, (N, 10) float32, of raw images."""
    network = _with_logits(model)

    @tf.function
    def run(part: tf.Tensor) -> tf.Tensor:
        return network(preprocessed(seen(part, tf.constant(view))))

    parts = range(0, len(images), EVALUATION_BATCH)
    return tf.concat([run(images[at : at + EVALUATION_BATCH]) for at in parts], axis=0)


def _with_logits(model: keras.Model) -> Callable[..., tf.Tensor]:
    """Returns the model without its last softmax, on the same weights.

    A loss needs logits: those of a saturated softmax cannot be had back from its output.
    """
    last = model.layers[-1]
    features = keras.Model(model.input, last.input)

    def run(images: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = features(images, training=training)
        return tf.matmul(x, tf.convert_to_tensor(last.kernel)) + last.bias

    return run


def _accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    found = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(found == labels, tf.float32))


def _state(model: keras.Model) -> list[Any]:
    """Returns every variable that the next epoch depends on, the dropout's seed among them."""
    return [*model.variables, *model.optimizer.variables]


def _save(backup: Path, model: keras.Model, done: Progression) -> None:
    temporary = backup.with_suffix(".tmp")
    arrays: dict[str, Any] = {
        **{f"state{n}": np.asarray(value) for n, value in enumerate(_state(model))},
        **{f"best{n}": value for n, value in enumerate(done.best_weights)},
        **{f"history-{name}": np.array(values) for name, values in done.history.items()},
    }
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    temporary.replace(backup)


def _restore(backup: Path, model: keras.Model) -> Progression:
    state = _state(model)
    try:
        with backup.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            values = [archive[f"state{n}"] for n in range(len(state))]
            best = [archive[f"best{n}"] for n in range(len(model.weights))]
            curves = {
                name.removeprefix("history-"): archive[name].tolist()
                for name in archive.files
                if name.startswith("history-")
            }
        for variable, value in zip(state, values, strict=True):
            variable.assign(value)
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{backup}, the state of the fit that was cut off, is corrupt ({error}); "
            "delete it, or leave --resume out to fit from the start"
        ) from error
    return Progression(history=curves, best_weights=best)
