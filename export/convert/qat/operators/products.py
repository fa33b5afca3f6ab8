"""Operators that multiply by trained weights: their sums are exact, as in the file.

Whole numbers of 8 bits are multiplied and added as float32, which is exact up to 2^24; what
that leaves is far below a step of the result.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.graph import Operator
from export.convert.qat.values import TWICE, Value

SAME = schema.Padding.SAME


def fully_connected(op: Operator, x: Value, w: Value, bias: Value | None = None) -> Value:
    """FULLY_CONNECTED."""
    depth = int(w.data.shape[-1])
    flat = tf.reshape(x.data, (-1, depth))
    products = _biased(tf.matmul(flat, w.data, transpose_b=True), bias)
    shape = ([-1] if x.batched else []) + list(op.outputs[0].shape)
    return Value(data=tf.reshape(products, shape), unit=_unit(x, w), batched=x.batched)


def conv_2d(op: Operator, x: Value, w: Value, bias: Value | None = None) -> Value:
    """CONV_2D; weights are (out, height, width, in)."""
    options, kernel = op.options, tf.transpose(w.data, (1, 2, 3, 0))
    strides = (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)

    def conv(images: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(
            images,
            part,
            strides,
            _padding(options),
            dilations=dilations if max(dilations) > 1 else None,
        )

    def compute(images: tf.Tensor) -> tf.Tensor:
        groups = int(images.shape[-1]) // int(kernel.shape[2])
        if groups == 1:
            return conv(images, kernel)
        # TensorFlow's CPU kernels have no gradient for groups
        parts = zip(tf.split(images, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return tf.concat([conv(*part) for part in parts], -1)

    return Value(data=_biased(each_call(x, compute), bias), unit=_unit(x, w), batched=x.batched)


def depthwise_conv_2d(op: Operator, x: Value, w: Value, bias: Value | None = None) -> Value:
    """DEPTHWISE_CONV_2D; weights are (1, height, width, channels)."""
    options = op.options
    channels = int(x.data.shape[-1])
    height, width, made = map(int, w.data.shape[1:])
    kernel = tf.reshape(w.data, (height, width, channels, made // channels))
    strides = (1, options.strideH, options.strideW, 1)
    dilations = (options.dilationHFactor, options.dilationWFactor)

    def compute(images: tf.Tensor) -> tf.Tensor:
        if strides[1] == strides[2] or max(dilations) > 1:
            return tf.nn.depthwise_conv2d(
                images, kernel, strides, _padding(options), dilations=dilations
            )
        raise ValueError("DEPTHWISE_CONV_2D has two strides")

    return Value(data=_biased(each_call(x, compute), bias), unit=_unit(x, w), batched=x.batched)


def transpose_conv(
    op: Operator, shape: Value, w: Value, x: Value, bias: Value | None = None
) -> Value:
    """TRANSPOSE_CONV; weights are (out, height, width, in)."""
    options, sizes = op.options, op.outputs[0].shape
    kernel = tf.transpose(w.data, (1, 2, 0, 3))

    def compute(images: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d_transpose(
            images,
            kernel,
            (tf.shape(images)[0], *sizes[1:]),
            (options.strideH, options.strideW),
            _padding(options),
        )

    return Value(data=_biased(each_call(x, compute), bias), unit=_unit(x, w), batched=x.batched)


def batch_matmul(op: Operator, a: Value, b: Value) -> Value:
    """BATCH_MATMUL, of two values that are computed, or one that is stored."""
    products = tf.matmul(
        a.data, b.data, transpose_a=bool(op.options.adjX), transpose_b=bool(op.options.adjY)
    )
    return Value(
        data=products, unit=a.unit * b.unit, batched=a.batched or b.batched, rounding=TWICE
    )


def each_call(x: Value, compute: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Returns what is computed of (n, height, width, channels), for the examples of all calls."""
    if not x.batched:
        return compute(x.data)
    sizes = x.data.shape[1:]
    found = compute(tf.reshape(x.data, (-1, *sizes[1:])))
    return tf.reshape(found, (-1, sizes[0], *found.shape[1:]))


def _biased(products: tf.Tensor, bias: Value | None) -> tf.Tensor:
    return products if bias is None else products + bias.data


def _unit(x: Value, w: Value) -> Any:
    return x.unit * w.unit


def _padding(options: Any) -> str:
    return "SAME" if options.padding == SAME else "VALID"


PRODUCTS: dict[str, Callable[..., Value]] = {
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "TRANSPOSE_CONV": transpose_conv,
}
# Where weights and biases are among the inputs, and which dimension of the weights is the output's.
WEIGHTS = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
