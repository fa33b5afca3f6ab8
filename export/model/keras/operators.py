"""Keras 3's operators in the form that converters know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import tensorflow as tf
from keras.src.backend.tensorflow import numpy as backend


@contextmanager
def plain_operators() -> Iterator[None]:
    """Has `argmax` and `argmin` be TensorFlow's while a model is traced.

    Keras orders -0.0 before 0.0, by the sign in the number's bits, and TFLite has no BITCAST.
    """
    with (
        mock.patch.object(backend, "argmax", _plain(tf.argmax)),
        mock.patch.object(backend, "argmin", _plain(tf.argmin)),
    ):
        yield


def _plain(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def call(x: Any, axis: int | None = None, keepdims: bool = False) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        flat = tf.reshape(x, [-1]) if axis is None else x
        found = function(flat, axis=axis or 0, output_type=tf.int32)
        return backend._keepdims(x, found, axis) if keepdims else found

    return call
