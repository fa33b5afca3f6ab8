"""Masking layers that change nothing but the mask."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import tensorflow as tf

from export.convert.recurrent.description import KERAS_2, PACKAGES

MODULES = tuple(f"{package}layers.core.masking" for package in PACKAGES)


@contextmanager
def masks_alone(layers: Iterable[Any]) -> Iterator[None]:
    """Has Masking layers of zeros hand on what they get, while a model is traced.

    They put zeros where there are only zeros. A recurrent layer takes the mask all the same.

    Args:
        layers: the model's, of Keras 3 or tf-keras.
    """
    with ExitStack() as patches:
        for layer in layers:
            of_keras = type(layer).__module__ in MODULES and type(layer).__name__ == "Masking"
            if of_keras and layer.mask_value == 0:
                patches.enter_context(mock.patch.object(layer, "call", _call(layer)))
        yield


def _call(layer: Any) -> Any:
    def call(inputs: Any) -> Any:
        outputs = tf.identity(inputs)  # a tensor of its own, for the mask
        if type(layer).__module__.startswith(KERAS_2):
            outputs._keras_mask = layer.compute_mask(inputs)
        return outputs

    return call
