"""One step of a recurrent cell, in terms of whatever does the arithmetic.

Numbers are computed with it to find their ranges; operators of a loop's body are made with it.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

from export.convert.recurrent.description import GATES, Activation, Cell

Value = TypeVar("Value")
# Those that arithmetic has to have, float and in integers.
ACTIVATIONS = ("hard_sigmoid", "linear", "relu", "sigmoid", "tanh")


class Arithmetic(Protocol[Value]):
    """What computes with values (batch, numbers)."""

    def dense(self, x: Value, weights: np.ndarray, bias: np.ndarray) -> Value:
        """Returns x times (in, out) weights, and (out,) biases added."""

    def split(self, x: Value, parts: int) -> Sequence[Value]:
        """Returns equal parts of the numbers."""

    def add(self, x: Value, y: Value) -> Value:
        """Returns x + y."""

    def subtract(self, x: Value, y: Value) -> Value:
        """Returns x - y."""

    def multiply(self, x: Value, y: Value) -> Value:
        """Returns x y, number by number."""

    def activate(self, x: Value, activation: Activation) -> Value:
        """Returns one of `ACTIVATIONS` of x."""


def step(on: Arithmetic[Value], cell: Cell, x: Value, states: Sequence[Value]) -> tuple[Value, ...]:
    """Returns the states after a step; the first one is the cell's output too.

    The equations are those of `description`, but h = g + z (h - g) for a GRU's last one, which
    takes a product less.

    Args:
        on: what computes.
        cell: the cell.
        x: (batch, features).
        states: (batch, units) each.
    """
    of_x = on.dense(x, cell.kernel, cell.bias)
    if cell.kind == "gru":
        return (_gru(on, cell, of_x, states[0]),)
    of_h = on.dense(states[0], cell.recurrent_kernel, cell.recurrent_bias)
    both = on.add(of_x, of_h)
    if cell.kind == "simple":
        return (on.activate(both, cell.activation),)
    gate = _gate_activation(cell)
    i, f, c, o = on.split(both, GATES["lstm"])
    kept = on.multiply(on.activate(f, gate), states[1])
    added = on.multiply(on.activate(i, gate), on.activate(c, cell.activation))
    carry = on.add(kept, added)
    h = on.multiply(on.activate(o, gate), on.activate(carry, cell.activation))
    return h, carry


def _gru(on: Arithmetic[Value], cell: Cell, of_x: Value, h: Value) -> Value:
    weights, bias, gate = cell.recurrent_kernel, cell.recurrent_bias, _gate_activation(cell)
    x_z, x_r, x_h = on.split(of_x, GATES["gru"])
    if cell.reset_after:
        h_z, h_r, h_h = on.split(on.dense(h, weights, bias), GATES["gru"])
    else:
        two = 2 * cell.units
        h_z, h_r = on.split(on.dense(h, weights[:, :two], bias[:two]), 2)
    z = on.activate(on.add(x_z, h_z), gate)
    r = on.activate(on.add(x_r, h_r), gate)
    if cell.reset_after:
        rest = on.multiply(r, h_h)
    else:
        rest = on.dense(on.multiply(r, h), weights[:, two:], bias[two:])
    g = on.activate(on.add(x_h, rest), cell.activation)
    return on.add(g, on.multiply(z, on.subtract(h, g)))


def _gate_activation(cell: Cell) -> Activation:
    if cell.recurrent_activation is None:
        raise ValueError(f"a {cell.kind} cell has no gates")
    return cell.recurrent_activation
