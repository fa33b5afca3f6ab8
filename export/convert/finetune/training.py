"""Trains tf-keras copies of the model."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from export.convert.objective import objective, training_batch
from export.convert.source import SourceModel

STEPS_PER_EXECUTION = 50  # batches per call into TensorFlow; saves a third of an epoch's time


def fit(
    model: Any, source: SourceModel, epochs: int, peak: float, callbacks: Sequence[Any] = ()
) -> None:
    """Trains a tf-keras copy of the model, the learning rate falling from its peak to zero."""
    inputs, outputs = source.teacher()
    truth = source.training_targets()
    objectives = [objective(outputs[spec.name], truth.get(spec.name)) for spec in source.outputs]
    model.compile(
        optimizer=tf_keras.optimizers.Adam(peak),
        loss=_one_or_all([each.loss for each in objectives]),
        loss_weights=[each.weight for each in objectives],
        # UpdatePruningStep has to see every step
        steps_per_execution=1 if callbacks else STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    model.fit(
        _one_or_all([tf.constant(inputs[spec.name], spec.dtype) for spec in source.inputs]),
        _one_or_all([tf.constant(each.targets) for each in objectives]),
        batch_size=training_batch(source),
        epochs=epochs,
        verbose=0,
        callbacks=[_Annealing(peak), *callbacks],
    )


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


class _Annealing(tf_keras.callbacks.Callback):
    """Lowers the learning rate to zero along half a cosine, as `train.fit.learning_rates` does."""

    def __init__(self, peak: float) -> None:
        super().__init__()
        self.peak = peak
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = (self.epoch + batch / self.params["steps"]) / self.params["epochs"]
        rate = self.peak * 0.5 * (1 + math.cos(math.pi * done))
        self.model.optimizer.learning_rate.assign(rate)
