"""Operators on single numbers, and on pairs of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.graph import Operator
from export.convert.qat.operators.tables import looked_up, table_of
from export.convert.qat.values import (
    TWICE,
    Value,
    fixed_point,
    stored_in,
    straight_through,
)

SAME = schema.Padding.SAME
WEIGHT_BITS = 20


def of_one(compute: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[Operator, Value], Value]:
    """Returns an operator on single numbers: in integers, what its kernel gives for each."""

    def run(op: Operator, x: Value) -> Value:
        given, made = op.given(0), op.outputs[0]
        if not (given.is_quantized and made.is_quantized and x.batched):
            return Value(data=compute(x.real), batched=x.batched)
        table = table_of(op)
        data = looked_up(compute(x.real) / made.step, x.data + float(given.zero_point), table)
        return Value(data=data, unit=made.step, batched=x.batched)

    return run


def of_two(compute: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable[..., Value]:
    """Returns an operator on pairs of real numbers, of tensors that are broadcast."""

    def run(_: Operator, a: Value, b: Value) -> Value:
        x, y = aligned(a, b)
        return Value(data=compute(x.real, y.real), batched=a.batched or b.batched)

    return run


def weighted_sum(sign: int) -> Callable[..., Value]:
    """Returns ADD or SUB: XNNPACK's weights have 21 bits, and half a step goes up.

    https://github.com/google/XNNPACK/blob/master/src/microparams-init.c, `xnn_init_qs8_add`. In
    float64 as in whole numbers, so that no optimization of the graph changes the result.
    """

    def run(op: Operator, a: Value, b: Value) -> Value:
        x, y = aligned(a, b)
        made, batched = op.outputs[0], a.batched or b.batched
        if not made.is_quantized:
            return Value(data=x.real + sign * y.real, batched=batched)
        ratios = [np.float32(each.unit) / made.step for each in (a, b)]
        shift = WEIGHT_BITS - int(np.floor(np.log2(max(ratios))))
        first, second = (np.rint(np.ldexp(float(ratio), shift)) for ratio in ratios)
        total = first * tf.cast(x.data, tf.float64) + sign * second * tf.cast(y.data, tf.float64)
        whole = tf.cast(tf.floor(total * 2.0**-shift + 0.5), tf.float32)
        exact = x.data * ratios[0] + sign * y.data * ratios[1]
        return Value(data=straight_through(exact, whole), unit=made.step, batched=batched)

    return run


def squared_difference(op: Operator, a: Value, b: Value) -> Value:
    """SQUARED_DIFFERENCE: TFLite's kernel rounds each part, then the square."""
    x, y = aligned(a, b)
    batched = a.batched or b.batched
    if not op.outputs[0].is_quantized:
        return Value(data=tf.math.squared_difference(x.real, y.real), batched=batched)
    unit = 2 * max(float(a.unit), float(b.unit)) / 128
    difference, whole = (
        left - right
        for left, right in (
            (x.real / unit, y.real / unit),
            (
                fixed_point(x.data * 128, a.unit / unit / 128),
                fixed_point(y.data * 128, b.unit / unit / 128),
            ),
        )
    )
    data = tf.square(straight_through(difference, whole))
    return Value(data=data, unit=unit * unit, batched=batched, rounding=TWICE)


def aligned(*values: Value) -> list[Value]:
    """Returns values that can be broadcast: the calls' dimension before as many others."""
    rank = max(len(value.data.shape) - value.batched for value in values)
    found = []
    for value in values:
        sizes = value.data.shape[1:] if value.batched else ()
        data = value.data
        if value.batched and len(sizes) < rank:
            data = tf.reshape(data, (-1, *[1] * (rank - len(sizes)), *sizes))
        found.append(Value(data=data, unit=value.unit, batched=value.batched))
    return found


def mul(_: Operator, a: Value, b: Value) -> Value:
    """MUL, of whole numbers of steps."""
    x, y = aligned(a, b)
    return Value(data=x.data * y.data, unit=a.unit * b.unit, batched=a.batched or b.batched)


def select(_: Operator, which: Value, a: Value, b: Value) -> Value:
    """SELECT and SELECT_V2."""
    w, x, y = aligned(which, a, b)
    data = tf.where(tf.cast(w.data, tf.bool), x.real, y.real)
    return Value(data=data, batched=which.batched or a.batched or b.batched)


def softmax(op: Operator, x: Value) -> Value:
    """SOFTMAX."""
    return Value(data=tf.nn.softmax(x.real * np.float32(op.options.beta)), batched=x.batched)


def leaky_relu(op: Operator, x: Value) -> Value:
    """LEAKY_RELU."""
    return of_one(lambda values: tf.nn.leaky_relu(values, op.options.alpha))(op, x)


def prelu(op: Operator, x: Value, slopes: Value) -> Value:
    """PRELU."""
    a, b = aligned(x, slopes)
    positive = replace(a, rounding=TWICE)
    negative = Value(data=a.data * b.data, unit=a.unit * b.unit, batched=x.batched, rounding=TWICE)
    return _by_sign(op, a, positive, negative)


def _by_sign(op: Operator, x: Value, positive: Value, negative: Value) -> Value:
    """Returns one value where x is positive, else the other, each rounded by itself."""
    tensor = op.outputs[0]
    both = [stored_in(each, tensor, op.limits) for each in (positive, negative)]
    return replace(both[0], data=tf.where(x.data >= 0, both[0].data, both[1].data))


def gelu(op: Operator, x: Value) -> Value:
    """GELU."""
    return of_one(lambda values: tf.nn.gelu(values, bool(op.options.approximate)))(op, x)


def cast(op: Operator, x: Value) -> Value:
    """CAST; between real and whole numbers no gradient goes."""
    made = op.outputs[0]
    if op.given(0).is_quantized:
        raise ValueError("it takes apart a tensor with a scale")
    if made.is_quantized:  # what is stored is cast, not what it stands for
        steps = tf.cast(x.data, tf.float32) - float(made.zero_point)
        return Value(data=steps, unit=made.step, batched=x.batched)
    return Value(data=tf.cast(x.data, made.dtype.name), batched=x.batched)


def arg_max(op: Operator, x: Value, _: Value) -> Value:
    """ARG_MAX."""
    axis = int(op.numbers(1)) % len(op.given(0).shape)
    found = tf.argmax(x.data, axis + x.batched, op.outputs[0].dtype.name)
    return Value(data=found, batched=x.batched)


def shape_of(op: Operator, x: Value) -> Value:
    """SHAPE, of one call."""
    found = op.given(0).shape
    return Value(data=tf.constant(found, tf.int32), batched=False)


def fill(op: Operator, _: Value, filling: Value) -> Value:
    """FILL."""
    data = tf.broadcast_to(filling.data, op.outputs[0].shape)
    return Value(data=data, unit=filling.unit, batched=False)


NUMBERS: dict[str, Callable[..., Any]] = {
    "ABS": of_one(tf.abs),
    "ADD": weighted_sum(1),
    "ARG_MAX": arg_max,
    "CAST": cast,
    "COS": of_one(tf.cos),
    "DIV": of_two(tf.divide),
    "ELU": of_one(tf.nn.elu),
    "EQUAL": of_two(tf.equal),
    "EXP": of_one(tf.exp),
    "FILL": fill,
    "FLOOR": of_one(tf.floor),
    "GELU": gelu,
    "GREATER": of_two(tf.greater),
    "GREATER_EQUAL": of_two(tf.greater_equal),
    "HARD_SWISH": of_one(lambda x: x * tf.clip_by_value(x + 3, 0.0, 6.0) / 6),
    "LEAKY_RELU": leaky_relu,
    "LESS": of_two(tf.less),
    "LESS_EQUAL": of_two(tf.less_equal),
    "LOG": of_one(tf.math.log),
    "LOGICAL_AND": of_two(tf.logical_and),
    "LOGICAL_NOT": of_one(tf.logical_not),
    "LOGICAL_OR": of_two(tf.logical_or),
    "LOGISTIC": of_one(tf.sigmoid),
    "LOG_SOFTMAX": of_one(tf.nn.log_softmax),
    "MAXIMUM": of_two(tf.maximum),
    "MINIMUM": of_two(tf.minimum),
    "MUL": mul,
    "NEG": of_one(tf.negative),
    "NOT_EQUAL": of_two(tf.not_equal),
    "PRELU": prelu,
    "RELU": of_one(tf.nn.relu),
    "RELU6": of_one(tf.nn.relu6),
    "RELU_0_TO_1": of_one(lambda x: tf.clip_by_value(x, 0.0, 1.0)),
    "RELU_N1_TO_1": of_one(lambda x: tf.clip_by_value(x, -1.0, 1.0)),
    "RSQRT": of_one(tf.math.rsqrt),
    "SELECT": select,
    "SELECT_V2": select,
    "SHAPE": shape_of,
    "SIN": of_one(tf.sin),
    "SOFTMAX": softmax,
    "SQRT": of_one(tf.sqrt),
    "SQUARE": of_one(tf.square),
    "SQUARED_DIFFERENCE": squared_difference,
    "SUB": weighted_sum(-1),
    "TANH": of_one(tf.tanh),
}
