"""Makes a network decide: a little training, or statistics of its data, a head for them.

A network as Keras initializes it gives every image about the same answer, and then neither
agreement nor a signal-to-noise ratio says anything about an export.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from export.verify.distance import are_classes
from tests.zoo.models.data import KINDS
from train.common.tensors import TensorSpec

BATCH = 32
EPOCHS = 30
# What random batch normalization does is no network's: it blows differences up, layer by layer,
# until float16 is noise. Shifted so far, activations pass ReLU for the most part, and errors stay
# what they are in trained networks. Set after measuring.
SHIFT = 1.0
SPREAD = 3.0  # standard deviation of logits over examples


def train(model: Any, inputs: Mapping[str, np.ndarray], outputs: Sequence[TensorSpec]) -> None:
    """Trains a small model, of Keras 3 or tf-keras: the examples' kinds, or what they look like."""
    count = len(next(iter(inputs.values())))
    targets = [_target(spec, inputs, count) for spec in outputs]
    losses = [
        "sparse_categorical_crossentropy" if values.dtype.kind == "i" else "mean_squared_error"
        for values in targets
    ]
    many = len(outputs) > 1
    model.compile(optimizer="adam", loss=losses if many else losses[0])
    model.fit(
        inputs if len(inputs) > 1 else next(iter(inputs.values())),
        targets if many else targets[0],
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
    )


def _target(spec: TensorSpec, inputs: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Returns what an output is trained for: kinds, a mean, brightness by pixel, the image."""
    first, last = (list(inputs.values())[index] for index in (0, -1))
    if are_classes(spec.shape):
        return np.arange(count) % KINDS
    if spec.shape == (None, *first.shape[1:]):
        return first
    if len(spec.shape) == 4:
        classes = spec.shape[-1] or 1
        brightness: np.ndarray = (first.mean(axis=-1) * classes).astype(np.int64)
        return brightness.clip(0, classes - 1)
    means: np.ndarray = 10 * last.reshape(count, -1).mean(axis=1, keepdims=True)
    return means


def give_head(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> None:
    """Sets a classifier's statistics of batch normalization and its last kernel from its data.

    The kernel's columns are random mixtures of what the features of each kind of example have of
    their own: none answers to what all share.
    """
    (images,) = inputs.values()
    found = list(model._flatten_layers(include_self=False))
    normalizing = [each for each in found if isinstance(each, keras.layers.BatchNormalization)]
    before = [each.momentum for each in normalizing]
    for each in normalizing:
        each.momentum = 0.0  # one call's statistics, not a hundredth of them
        if each.center:
            each.beta.assign(np.full(each.beta.shape, SHIFT))
    model(images[:BATCH], training=True)
    for each, momentum in zip(normalizing, before, strict=True):
        each.momentum = momentum
    head = [each for each in found if hasattr(each, "kernel")][-1]
    values = np.asarray(keras.Model(model.inputs, head.input)(images), np.float64)
    features = values.reshape(len(images), -1)
    centered = features - features.mean(axis=0)
    kernel, bias = head.get_weights()
    kinds = np.stack([centered[number::KINDS].mean(axis=0) for number in range(KINDS)])
    new = kinds.T @ np.random.RandomState(0).normal(size=(KINDS, len(bias)))
    new *= SPREAD / (centered @ new).std(axis=0)
    head.set_weights([new.reshape(kernel.shape), -features.mean(axis=0) @ new])
