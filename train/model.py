"""The reference network and how it is fitted and asked. Heavy: imports TensorFlow."""

import math
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from train.config import Hyperparameters
from train.data import IMAGE_SHAPE, LABELS, PREPROCESSING, LabelledImages

INPUT_NAME = "image"
OUTPUT_NAME = "probabilities"
STEPS_PER_EXECUTION = 50  # batches a call into TensorFlow; saves a third of an epoch's time
EVALUATION_BATCH = 2_000

tf.config.list_logical_devices()  # looks for devices now, while the import's chatter is held back


@dataclass(frozen=True, kw_only=True)
class FitData:
    """Training and validation tensors, placed once and shared by every fit.

    `images` (N, 28, 28) float32 in 0…1, `labels` (N,) int32, and the same held out.
    """

    images: tf.Tensor
    labels: tf.Tensor
    validation_images: tf.Tensor
    validation_labels: tf.Tensor

    @classmethod
    def of(cls, train: LabelledImages, validation: LabelledImages) -> "FitData":
        """Preprocesses and places both parts."""
        return cls(
            images=tf.constant(PREPROCESSING.apply(train.images)),
            labels=tf.constant(train.labels.astype(np.int32)),
            validation_images=tf.constant(PREPROCESSING.apply(validation.images)),
            validation_labels=tf.constant(validation.labels.astype(np.int32)),
        )

    def first(self, share: float) -> "FitData":
        """Returns the first share of the training images, 0…1, and all held-out ones."""
        count = int(len(self.images) * share)
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    def fit_arguments(self, batch_size: int) -> dict[str, Any]:
        """Returns the arguments of `keras.Model.fit` (and a tuner's search) for this data."""
        return {
            "x": self.images,
            "y": self.labels,
            "batch_size": batch_size,
            "validation_data": (self.validation_images, self.validation_labels),
            "validation_batch_size": EVALUATION_BATCH,
            "verbose": 0,
        }


def cosine_rate(peak: float, done: float) -> float:
    """Returns the learning rate after a share `done`, 0…1, of a half cosine from `peak` to 0."""
    return peak * 0.5 * (1 + math.cos(math.pi * done))


class CosineAnnealing(keras.callbacks.Callback):
    """Lowers the learning rate to zero along a half cosine over the epochs of *this* fit.

    Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983. A callback, not a schedule
    object, because Hyperband decides the number of epochs a trial: each of its rungs then
    ends annealed, which makes short trials a fair forecast of long ones.
    """

    def __init__(self, peak: float) -> None:
        super().__init__()
        self.peak = peak
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remembers the epoch."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Sets the rate for the coming execution."""
        done = (self.epoch + batch / self.params["steps"]) / self.params["epochs"]
        self.model.optimizer.learning_rate.assign(cosine_rate(self.peak, done))


def schedule_callbacks(hyperparameters: Hyperparameters) -> list[keras.callbacks.Callback]:
    """Returns what a fit needs for its learning-rate schedule."""
    if hyperparameters.schedule == "cosine":
        return [CosineAnnealing(hyperparameters.learning_rate)]
    return []


def build_model(hyperparameters: Hyperparameters) -> keras.Model:
    """Returns the compiled network: (N, 28, 28) float32 in 0…1 → (N, 10) float32 softmax.

    `jit_compile` stays off: XLA compiles dropout on the CPU to code many times slower than
    TensorFlow's own kernels, and "auto" would choose it.
    """
    image = keras.Input(IMAGE_SHAPE, name=INPUT_NAME)
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(hyperparameters.units, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(hyperparameters.dropout)(x)
    probabilities = keras.layers.Dense(len(LABELS), activation="softmax", name=OUTPUT_NAME)(x)
    model = keras.Model(image, probabilities, name="classifier")
    optimizer = keras.optimizers.get(hyperparameters.optimizer)
    optimizer.learning_rate = hyperparameters.learning_rate
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    return model


def outputs_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns the model's outputs, (N, 10) float32, for raw images (N, 28, 28) uint8."""
    inputs = PREPROCESSING.apply(images)
    return np.asarray(model.predict(inputs, batch_size=EVALUATION_BATCH, verbose=0))


def accuracy_of(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of rows of (N, 10) outputs whose largest value is at the label."""
    return float(np.mean(outputs.argmax(axis=1) == labels))
