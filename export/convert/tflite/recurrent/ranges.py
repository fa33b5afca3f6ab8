"""The ranges of what a recurrent layer computes at each of its steps, on calibration examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from export.convert.recurrent.description import Activation, Cell
from export.convert.tflite.recurrent.equations import step


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The largest absolute values of what a layer computes.

    Attributes:
        results: of the results of a step, in the order in which `equations.step` computes them.
        states: which results the states after a step are.
        outputs: lowest and highest value of the layer's output.
        carry: the largest absolute value of an LSTM's carry; 0 of others.
        last: lowest and highest value of each state after the last step.
    """

    results: tuple[float, ...]
    states: tuple[int, ...]
    outputs: tuple[float, float]
    carry: float
    last: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Values (batch, numbers), and which result of the step they are."""

    values: np.ndarray
    number: int


@dataclass(kw_only=True)
class _Watched:
    """Arithmetic of numpy that keeps the largest absolute value of each result."""

    largest: list[float] = field(default_factory=list)
    place: int = 0

    def dense(self, x: _Known, weights: np.ndarray, bias: np.ndarray) -> _Known:
        return self._seen(x.values @ weights + bias)

    def split(self, x: _Known, parts: int) -> list[_Known]:
        return [_Known(values=part, number=x.number) for part in np.split(x.values, parts, axis=1)]

    def add(self, x: _Known, y: _Known) -> _Known:
        return self._seen(x.values + y.values)

    def subtract(self, x: _Known, y: _Known) -> _Known:
        return self._seen(x.values - y.values)

    def multiply(self, x: _Known, y: _Known) -> _Known:
        return self._seen(x.values * y.values)

    def activate(self, x: _Known, activation: Activation) -> _Known:
        return self._seen(activated(x.values, activation))

    def _seen(self, values: np.ndarray) -> _Known:
        largest = float(np.abs(values).max(initial=0.0))
        if self.place == len(self.largest):
            self.largest.append(largest)
        self.largest[self.place] = max(self.largest[self.place], largest)
        self.place += 1
        return _Known(values=values, number=self.place - 1)


def activated(x: np.ndarray, activation: Activation) -> np.ndarray:
    """Returns an activation of `equations.ACTIVATIONS` of numbers."""
    if activation.name == "tanh":
        found = np.tanh(x)
    elif activation.name == "sigmoid":
        found = 0.5 * (1 + np.tanh(0.5 * x))  # which does not overflow
    elif activation.name == "relu":
        found = np.maximum(x, 0)
    elif activation.name == "hard_sigmoid":
        found = np.clip((activation.alpha or 0) * x + (activation.beta or 0), 0, 1)
    else:
        found = x
    return np.asarray(found, np.float32)


def ranges_of(
    cell: Cell,
    sequences: np.ndarray,
    mask: np.ndarray | None,
    *,
    go_backwards: bool,
    initial: Sequence[np.ndarray] = (),
) -> Ranges:
    """Returns the ranges of what a layer computes.

    Args:
        cell: its cell.
        sequences: (N, steps, features) float32.
        mask: (N, steps) bool, whether a step counts; None for all.
        go_backwards: whether the last step is the first.
        initial: (N, units) float32, the states before the first step; none for zeros.
    """
    watched = _Watched()
    count, steps, _ = sequences.shape
    initial = initial or [np.zeros((count, cell.units), np.float32)] * cell.states
    states: Sequence[_Known] = [_Known(values=values, number=-1) for values in initial]
    numbers: tuple[int, ...] = ()
    low = high = carry = 0.0
    for index in reversed(range(steps)) if go_backwards else range(steps):
        watched.place = 0
        x = _Known(values=sequences[:, index], number=-1)
        after = step(watched, cell, x, states)
        numbers = tuple(state.number for state in after)
        if mask is not None:
            counts = mask[:, index, np.newaxis]
            pairs = zip(after, states, strict=True)
            after = tuple(
                _Known(values=np.where(counts, new.values, old.values), number=new.number)
                for new, old in pairs
            )
        states = after
        low = min(low, float(states[0].values.min()))
        high = max(high, float(states[0].values.max()))
        if cell.kind == "lstm":
            carry = max(carry, float(np.abs(states[1].values).max()))
    for number, values in zip(numbers, initial, strict=True):  # states of all steps have one unit
        watched.largest[number] = max(watched.largest[number], float(np.abs(values).max()))
    return Ranges(
        results=tuple(watched.largest),
        states=numbers,
        outputs=(low, high),
        carry=carry,
        last=tuple((float(s.values.min()), float(s.values.max())) for s in states),
    )
