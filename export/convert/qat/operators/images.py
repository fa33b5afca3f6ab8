"""Operators that join tensors, and that look at several numbers of one: means, pools, sizes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.graph import Operator
from export.convert.qat.operators.products import each_call
from export.convert.qat.values import AWAY, EVEN, UP, Value, straight_through

SAME = schema.Padding.SAME


def concatenation(op: Operator, *parts: Value) -> Value:
    """CONCATENATION: each part in the unit of the whole."""
    return _joined(op, parts, op.options.axis % len(op.outputs[0].shape), tf.concat)


def pack(op: Operator, *parts: Value) -> Value:
    """PACK."""
    return _joined(op, parts, op.options.axis % len(op.outputs[0].shape), tf.stack)


def _joined(op: Operator, parts: Any, axis: int, join: Any) -> Value:
    batched = any(part.batched for part in parts)
    count = next((tf.shape(part.data)[0] for part in parts if part.batched), 1)
    same = all(part.unit is parts[0].unit or part.unit == parts[0].unit for part in parts)
    values = [part.data if same else part.real for part in parts]
    if batched:
        values = [
            value if part.batched else tf.broadcast_to(value, (count, *value.shape))
            for part, value in zip(parts, values, strict=True)
        ]
    unit = parts[0].unit if same else 1.0
    return Value(data=join(values, axis + batched), unit=unit, batched=batched)


def reduced(
    compute: Callable[..., tf.Tensor], *, of_units: bool, mean: bool = False
) -> Callable[..., Value]:
    """Returns an operator over some dimensions.

    Args:
        compute: what is computed; of a mean, the sum.
        of_units: whether the result is as many steps as what is computed of steps.
        mean: whether it is divided by how many there are.
    """

    def run(op: Operator, x: Value, _: Value) -> Value:
        shape = op.given(0).shape
        axes = sorted({int(axis) % len(shape) for axis in np.atleast_1d(op.numbers(1))})
        places = [axis + x.batched for axis in axes]
        data = compute(x.data if of_units else x.real, places, keepdims=bool(op.options.keepDims))
        unit = x.unit if of_units else 1.0
        count = math.prod(shape[axis] for axis in axes)
        if mean and op.outputs[0].is_quantized:
            return _mean_of_stored(op, x, data, count)
        if mean:
            unit = unit / np.float32(count)
        return Value(data=data, unit=unit, batched=x.batched)

    return run


def _mean_of_stored(op: Operator, x: Value, total: tf.Tensor, count: int) -> Value:
    """Returns a mean as XNNPACK rounds it: the sum of what is stored, times a factor, in float32.

    What the zero point adds is taken off afterwards. The sum is larger than that of the steps, and
    what comes to nearly half a step can become half of one.
    """
    made = op.outputs[0]
    factor = np.float32(x.unit / np.float32(count) / made.step)
    added = np.float32(op.given(0).zero_point * count)
    stored = (total + added) * factor
    whole = tf.round(stored - added * factor)
    return Value(data=straight_through(total * factor, whole), unit=made.step, batched=x.batched)


def pool(mean: bool) -> Callable[[Operator, Value], Value]:
    """Returns AVERAGE_POOL_2D or MAX_POOL_2D."""

    def run(op: Operator, x: Value) -> Value:
        options = op.options
        compute = tf.nn.avg_pool2d if mean else tf.nn.max_pool2d
        window = (options.filterHeight, options.filterWidth)
        strides = (options.strideH, options.strideW)
        padding = "SAME" if options.padding == SAME else "VALID"
        data = each_call(x, lambda images: compute(images, window, strides, padding))
        return Value(data=data, unit=x.unit, batched=x.batched, rounding=AWAY if mean else EVEN)

    return run


def resize(method: str) -> Callable[..., Value]:
    """Returns RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR."""

    def run(op: Operator, x: Value, _: Value) -> Value:
        size = op.outputs[0].shape[1:3]
        compute = getattr(tf.raw_ops, method)
        options = {
            "size": size,
            "align_corners": bool(op.options.alignCorners),
            "half_pixel_centers": bool(op.options.halfPixelCenters),
        }
        data = each_call(x, lambda images: compute(images=images, **options))
        return Value(data=data, unit=x.unit, batched=x.batched, rounding=UP)

    return run


IMAGES: dict[str, Callable[..., Any]] = {
    "AVERAGE_POOL_2D": pool(mean=True),
    "CONCATENATION": concatenation,
    "MAX_POOL_2D": pool(mean=False),
    "MEAN": reduced(tf.reduce_sum, of_units=True, mean=True),
    "PACK": pack,
    "REDUCE_MAX": reduced(tf.reduce_max, of_units=True),
    "REDUCE_MIN": reduced(tf.reduce_min, of_units=True),
    "RESIZE_BILINEAR": resize("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": resize("ResizeNearestNeighbor"),
    "SUM": reduced(tf.reduce_sum, of_units=True),
}
