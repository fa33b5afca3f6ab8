"""Keras 3's operators in the form that converters know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from keras.src.backend.tensorflow import numpy as backend
from keras.src.layers.preprocessing.index_lookup import IndexLookup
from tensorflow.python.framework.func_graph import FuncGraph


@contextmanager
def plain_operators() -> Iterator[None]:
    """Has some of Keras's operators be others that compute the same, while a model is traced.

    `argmax` and `argmin` are TensorFlow's: Keras orders -0.0 before 0.0, by the sign in the
    number's bits, and TFLite has no BITCAST. `digitize`, which `Discretization` is made of, and
    `IntegerLookup` compare with each number that they know: ONNX has no operator for the one, no
    format tables for the other. `add` takes what has only one dimension longer than one for a bias,
    in a batch of one also what is computed, and adds one number a step along the channels.
    """
    with (
        mock.patch.object(backend, "add", _broadcast(backend.add)),
        mock.patch.object(backend, "argmax", _plain(tf.argmax)),
        mock.patch.object(backend, "argmin", _plain(tf.argmin)),
        mock.patch.object(backend, "digitize", _digitized),
        mock.patch.object(IndexLookup, "_lookup_dense", _compared(IndexLookup._lookup_dense)),
    ):
        yield


def _broadcast(add: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def call(x1: Any, x2: Any) -> tf.Tensor:
        if not (isinstance(x1, tf.Tensor) and isinstance(x2, tf.Tensor) and _is_computed(x2)):
            return add(x1, x2)
        dtype = backend.dtypes.result_type(x1.dtype, x2.dtype)
        return tf.add(tf.cast(x1, dtype), tf.cast(x2, dtype))

    return call


def _is_computed(tensor: tf.Tensor) -> bool:
    """Returns whether a tensor depends on what a function is called with, its variables aside."""
    graph = getattr(tensor, "graph", None)
    if not isinstance(graph, FuncGraph):  # it has a value already
        return False
    variables = {id(inner) for _, inner in graph.captures}
    seen, left = set(), [tensor]
    while left:
        each = left.pop()
        if each.op.type == "Placeholder":
            if id(each) not in variables:
                return True
        elif each.op not in seen:
            seen.add(each.op)
            left += each.op.inputs
    return False


def _plain(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def call(x: Any, axis: int | None = None, keepdims: bool = False) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        flat = tf.reshape(x, [-1]) if axis is None else x
        found = function(flat, axis=axis or 0, output_type=tf.int32)
        return backend._keepdims(x, found, axis) if keepdims else found

    return call


def _digitized(x: Any, bins: Any) -> tf.Tensor:
    x = tf.convert_to_tensor(x)
    bounds = np.asarray(bins, np.float64)
    if not x.dtype.is_floating:
        x, bounds = tf.cast(x, tf.int64), np.ceil(bounds)
    below = x[..., tf.newaxis] >= tf.constant(bounds, x.dtype)
    return tf.reduce_sum(tf.cast(below, tf.int32), axis=-1)


def _compared(lookup: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def call(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
        known, found = tf.as_dtype(layer._key_dtype), tf.as_dtype(layer._value_dtype)
        hashes = layer.num_oov_indices > 1 and layer.oov_method == "farmhash"
        if not (known.is_integer and found.is_integer) or hashes:  # words have no numbers here
            return lookup(layer, inputs)
        with tf.init_scope():
            keys, values = layer.lookup_table.export()
            keys, values = keys.numpy(), values.numpy()
        other = layer._default_value  # of what is not known
        matches = tf.equal(inputs[..., tf.newaxis], keys)
        places = tf.where(matches, tf.constant(values - other, found), tf.zeros([], found))
        place = tf.reduce_sum(places, axis=-1) + other
        if layer.mask_token is not None:
            place = tf.where(tf.equal(inputs, layer._mask_key), layer._mask_value, place)
        if layer.num_oov_indices > 1 and not layer.invert:
            several = tf.math.floormod(inputs, layer.num_oov_indices) + layer._oov_start_index()
            place = tf.where(tf.equal(place, other), tf.cast(several, found), place)
        return place

    return call
