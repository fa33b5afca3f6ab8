"""Values of a simulated file: real numbers, or the whole numbers that an integer tensor holds."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

# How results become whole steps. XNNPACK multiplies as float32 and takes the nearest, half a step
# to the even one; or adds half and cuts off. Quotients of scales it keeps in 256ths where it only
# converts. TFLite's own kernels round twice: to a fraction of a step, then to a step.
EVEN, UP, AWAY, IN_256THS, TWICE = "even", "up", "away", "in 256ths", "twice"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """A tensor of the file.

    Attributes:
        index: its number in its graph.
        name: its name.
        shape: its shape; an open batch is 1.
        dtype: its type.
        scale: one, or one for each channel; none where it is not quantized.
        zero_point: what stands for zero.
        axis: which dimension the channels are.
        stored: the numbers in the file; None of what is computed.
        buffer: where they are.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: np.ndarray
    zero_point: int
    axis: int
    stored: np.ndarray | None
    buffer: int

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest number of steps from zero that it can hold."""
        found = np.iinfo(self.dtype)
        return float(found.min - self.zero_point), float(found.max - self.zero_point)

    @property
    def is_quantized(self) -> bool:
        """Whether its numbers are steps from zero."""
        return self.scale.size > 0 and np.issubdtype(self.dtype, np.integer)

    @property
    def step(self) -> np.float32:
        """What one of its steps is worth, of the first channel if there are several."""
        return np.float32(self.scale[0])

    @property
    def channels(self) -> list[int]:
        """The shape in which scales are multiplied with its numbers."""
        shape = [1] * len(self.shape)
        if self.scale.size > 1:
            shape[self.axis] = self.scale.size
        return shape

    @property
    def steps(self) -> np.ndarray:
        """The stored numbers of steps from zero, float32.

        Raises:
            ValueError: nothing is stored.
        """
        if self.stored is None:
            raise ValueError(f"tensor {self.name!r} is computed")
        found: np.ndarray = self.stored.astype(np.float32) - np.float32(self.zero_point)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """What a tensor holds, or what is yet to be put into one.

    Attributes:
        data: (N, *shape) for N calls of the file; *shape if it is the same for all of them.
        unit: what one of data is worth: a number, or one for each of the last dimension.
        batched: whether there is the dimension of the calls.
        rounding: how it becomes whole steps of a tensor.
    """

    data: tf.Tensor
    unit: Any = 1.0
    batched: bool = True
    rounding: str = EVEN

    @property
    def real(self) -> tf.Tensor:
        """The real numbers."""
        return self.data if isinstance(self.unit, float) and self.unit == 1 else self.scaled

    @property
    def scaled(self) -> tf.Tensor:
        """The real numbers, of data that are numbers of steps."""
        return self.data * tf.cast(self.unit, self.data.dtype)


def stored_in(value: Value, tensor: Tensor, activation: tuple[float, float]) -> Value:
    """Returns what a tensor holds of a value: rounded to its steps, if it is quantized.

    The gradient goes through the rounding as if there were none, and stops at what is cut off
    (the straight-through estimator: Jacob et al. 2018, https://arxiv.org/abs/1712.05877).

    Args:
        value: the value.
        tensor: the tensor.
        activation: the limits of the fused activation, in real numbers.
    """
    low, high = activation
    if not tensor.is_quantized:
        data = value.real
        if low > -np.inf or high < np.inf:
            data = tf.clip_by_value(data, low, high)
        return Value(data=data, batched=value.batched)
    scale = tensor.step
    least, most = tensor.limits
    if low > -np.inf:
        least = max(least, float(np.rint(low / scale)))
    if high < np.inf:
        most = min(most, float(np.rint(high / scale)))
    factor = value.unit / scale
    steps = tf.clip_by_value(value.data * tf.cast(factor, tf.float32), least, most)
    whole = rounded(value.data, factor, value.rounding, float(tensor.zero_point))
    data = straight_through(steps, tf.clip_by_value(whole, least, most))
    return Value(data=data, unit=scale, batched=value.batched)


def rounded(
    data: tf.Tensor, factor: Any, rounding: str = EVEN, zero_point: float = 0.0
) -> tf.Tensor:
    """Returns whole numbers of steps, of data times a factor."""
    if rounding == TWICE:
        return fixed_point(data, factor)
    if rounding == IN_256THS:
        return tf.floor(data * (np.rint(256 * np.float32(factor)) / 256) + 0.5)
    steps = data * tf.cast(factor, tf.float32)
    if rounding == UP:
        return tf.floor(steps + 0.5)
    if rounding == AWAY:  # of what is stored, which begins at the zero point
        return _away(steps + zero_point) - zero_point
    return tf.round(steps)


def fixed_point(data: tf.Tensor, factor: Any) -> tf.Tensor:
    """Returns data times a factor as `MultiplyByQuantizedMultiplier` does, with integers."""
    wide = tf.cast(factor, tf.float64)
    halvings = tf.maximum(-tf.floor(tf.math.log(wide) / math.log(2) + 1), 0)
    part = 2.0**-halvings
    return tf.cast(
        _away(tf.floor(tf.cast(data, tf.float64) * (wide / part) + 0.5) * part), tf.float32
    )


def straight_through(exact: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """Returns the whole numbers, with the gradient of the exact ones.

    The sum gives the whole numbers to the bit, as floats that are no further apart than they are
    can be subtracted without loss.
    """
    return exact + tf.stop_gradient(whole - exact)


def _away(numbers: tf.Tensor) -> tf.Tensor:
    return tf.sign(numbers) * tf.floor(tf.abs(numbers) + 0.5)
