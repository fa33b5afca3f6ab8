"""Recurrent layers: TFLite's LSTM operator in integers, and WHILE."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from export.convert.qat.graph import Graph, Operator
from export.convert.qat.operators import gemmlowp
from export.convert.qat.operators.tables import looked_up
from export.convert.qat.values import Tensor, Value, fixed_point, straight_through

GATE_UNIT = np.float32(2.0**-12)  # of what goes into the activations of gates, 16 bits
UNIT = np.float32(2.0**-15)  # of what comes out
WIDE = (-32768.0, 32767.0)
GATES = 4
INPUT_KERNELS, RECURRENT_KERNELS, BIASES = range(1, 5), range(5, 9), range(12, 16)
CARRY = 19


def lstm(op: Operator, *values: Value | None) -> Value:
    """UNIDIRECTIONAL_SEQUENCE_LSTM with 8 bits, and 16 inside, from states of zeros.

    As the integer kernel: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/kernels/lstm_eval.cc
    """
    x = values[0]
    hidden, carry = op.between[-1], op.given(CARRY)
    if x is None or not (carry.scale.size and hidden.scale.size):
        raise ValueError("the LSTM operator computes in float")
    if op.options.timeMajor or any(values[place] is not None for place in (9, 10, 11, 16, 17)):
        raise ValueError("the LSTM operator has peepholes, a projection or another order")
    h_unit, c_unit = hidden.step, carry.step
    c_bits = 15 + round(math.log2(c_unit))
    least, most = hidden.limits
    given = tf.reshape(x.data, (-1, *op.given(0).shape[1:]))
    steps = tf.transpose(given, (1, 0, 2))
    kernels, recurrent, biases = (
        [_given(values, place) for place in places]
        for places in (INPUT_KERNELS, RECURRENT_KERNELS, BIASES)
    )
    of_x = tf.concat(
        [
            _gate(tf.matmul(steps, w.data, transpose_b=True) + b.data, x.unit, w.unit)
            for w, b in zip(kernels, biases, strict=True)
        ],
        -1,
    )
    units = int(recurrent[0].data.shape[0])

    def step(states: tuple[tf.Tensor, tf.Tensor], now: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        h, c = states
        of_state = tf.concat(
            [_gate(tf.matmul(h, w.data, transpose_b=True), h_unit, w.unit) for w in recurrent], -1
        )
        gates = tf.clip_by_value(now + of_state, *WIDE)
        i, f, g, o = tf.split(gates, GATES, -1)
        i, f, o = (
            looked_up(tf.sigmoid(gate * GATE_UNIT) / UNIT, gate, gemmlowp.logistic())
            for gate in (i, f, o)
        )
        g = looked_up(tf.tanh(g * GATE_UNIT) / UNIT, g, gemmlowp.tanh(3))
        c = tf.clip_by_value(_product(f, c, UNIT) + _product(i, g, UNIT * UNIT / c_unit), *WIDE)
        out = looked_up(tf.tanh(c * c_unit) / UNIT, c, gemmlowp.tanh(c_bits))
        return _product(o, out, UNIT * UNIT / h_unit, (least, most)), c

    zeros = tf.zeros((tf.shape(steps)[1], units))
    found = tf.scan(step, of_x, (zeros, zeros))[0]
    shape = [-1, *op.outputs[0].shape]
    return Value(data=tf.reshape(tf.transpose(found, (1, 0, 2)), shape), unit=h_unit)


def _given(values: Sequence[Value | None], place: int) -> Value:
    value = values[place]
    if value is None:
        raise ValueError("the LSTM operator couples its gates, or has no biases")
    return value


def _gate(products: tf.Tensor, *units: Any) -> tf.Tensor:
    """Returns what a gate gets of products, in 16 bits."""
    first, second = (tf.cast(unit, tf.float64) for unit in units)
    return _multiplied(products, first * second / GATE_UNIT, WIDE)


def _product(
    a: tf.Tensor, b: tf.Tensor, factor: Any, limits: tuple[float, float] = WIDE
) -> tf.Tensor:
    return _multiplied(tf.cast(a, tf.float64) * tf.cast(b, tf.float64), factor, limits)


def _multiplied(numbers: tf.Tensor, factor: Any, limits: tuple[float, float]) -> tf.Tensor:
    exact = tf.cast(tf.cast(numbers, tf.float64) * tf.cast(factor, tf.float64), tf.float32)
    steps = tf.clip_by_value(exact, *limits)
    return straight_through(steps, tf.clip_by_value(fixed_point(numbers, factor), *limits))


Run = Callable[[Graph, dict[int, Value]], list[Value]]


def while_loop(values: Sequence[Value], condition: Graph, body: Graph, run: Run) -> list[Value]:
    """WHILE: whatever its parts compute of the values that go round.

    Args:
        values: what the first round begins with; whole numbers, such as its count, are the same
            for all calls.
        condition: says whether there is another round.
        body: a round.
        run: computes a part.
    """
    count = next((tf.shape(value.data)[0] for value in values if value.batched), None)
    begin = [_batched(v, t, count) for v, t in zip(values, body.inputs, strict=True)]

    def named(part: Graph, data: Sequence[tf.Tensor]) -> dict[int, Value]:
        return {
            tensor.index: Value(data=each, unit=value.unit, batched=value.batched)
            for tensor, each, value in zip(part.inputs, data, begin, strict=True)
        }

    def goes_on(*data: tf.Tensor) -> tf.Tensor:
        return tf.reshape(run(condition, named(condition, data))[0].data, ())

    def once(*data: tf.Tensor) -> list[tf.Tensor]:
        found = run(body, named(body, data))
        return [
            tf.ensure_shape(_batched(value, tensor, count).data, old.shape)
            for value, tensor, old in zip(found, body.inputs, data, strict=True)
        ]

    data = tf.while_loop(goes_on, once, [value.data for value in begin])
    return [
        Value(data=each, unit=value.unit, batched=value.batched)
        for each, value in zip(data, begin, strict=True)
    ]


def _batched(value: Value, tensor: Tensor, count: Any) -> Value:
    if value.batched or count is None or not (tensor.is_quantized or tensor.dtype == np.float32):
        return value
    data = tf.broadcast_to(value.data, (count, *tensor.shape))
    return Value(data=data, unit=value.unit)
