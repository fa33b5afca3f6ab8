"""Moments of what layers read: the summed products of their inputs, which rounding goes by."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

POSITIONS = 64  # of an example, at most, that a convolution is looked at
MOST_INPUTS = 2304  # to an output: time grows with the third power, memory with the second
LEAST_ROOM = 4_000_000  # numbers of all layers' moments together, or as many as there are weights
SEED = 0
Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a convolution's kernel lies on, of height and width each.

    Attributes:
        size, strides, dilation: of the kernel.
        pads: zeros before and behind; None for as many as keep what is read in size.
    """

    size: Pair
    strides: Pair
    dilation: Pair
    pads: tuple[Pair, Pair] | None


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A layer, as far as it matters what it reads.

    Attributes:
        name: of its kernel.
        tensor: the name of what it reads.
        inputs: how many an output has.
        channels: how many kinds of inputs: those of a depthwise convolution, else 1.
        window: of a convolution; None of a dense layer.
        channels_first: whether channels of what it reads come before the places.
    """

    name: str
    tensor: str
    inputs: int
    channels: int = 1
    window: Window | None = None
    channels_first: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of its moments."""
        return (self.channels, self.inputs, self.inputs)


AnyReader = TypeVar("AnyReader", bound=Reader)


def with_room(readers: Iterable[AnyReader], weights: int) -> list[AnyReader]:
    """Returns the readers whose moments have room, the smallest first.

    Args:
        readers: any.
        weights: how many numbers the model's layers hold.
    """
    room, kept = max(LEAST_ROOM, weights), []
    few = [each for each in readers if each.inputs <= MOST_INPUTS]
    for reader in sorted(few, key=lambda each: math.prod(each.shape)):
        room -= math.prod(reader.shape)
        if room >= 0:
            kept.append(reader)
    return kept


def moments_of(
    examples: Iterable[Mapping[str, np.ndarray]], readers: Sequence[Reader]
) -> dict[str, np.ndarray]:
    """Returns the summed products of what readers read, by their names.

    Args:
        examples: values of tensors by name, for some examples after the other.
        readers: any.

    Returns:
        (channels, inputs, inputs) float32 each.
    """
    found = {reader.name: np.zeros(reader.shape, np.float32) for reader in readers}
    random = np.random.RandomState(SEED)
    for values in examples:
        for reader in readers:
            given = values.get(reader.tensor)
            if given is not None:
                found[reader.name] += _products(reader, given, random)
    return found


def _products(reader: Reader, given: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    if reader.window is None:
        rows = given.reshape(-1, reader.inputs)
        return np.asarray(rows.T @ rows)
    if reader.channels_first:
        given = np.moveaxis(given, 1, -1)
    if given.ndim == 3:  # a convolution along a line
        given = given[:, np.newaxis]
    found = patches(given, reader.window, random)
    if reader.channels == 1:
        rows = found.reshape(len(found), -1)
        return np.asarray(rows.T @ rows)
    by_channel = found.reshape(len(found), reader.inputs, -1).transpose(2, 0, 1)
    return np.asarray(by_channel.transpose(0, 2, 1) @ by_channel)


def patches(given: np.ndarray, window: Window, random: np.random.RandomState) -> np.ndarray:
    """Returns what a convolution's kernel lies on at some of its positions.

    Args:
        given: (N, H, W, C), its input.
        window: its own.
        random: draws `POSITIONS` of each input.

    Returns:
        (n, height, width, C)
    """
    places, pads = [], []
    for axis, size in enumerate(given.shape[1:3]):
        reach = (window.size[axis] - 1) * window.dilation[axis] + 1
        stride = window.strides[axis]
        if window.pads is None:
            count = -(-size // stride)
            pad = max(0, (count - 1) * stride + reach - size)
            pads.append((pad // 2, pad - pad // 2))
        else:
            pads.append(window.pads[axis])
            count = (size + sum(pads[-1]) - reach) // stride + 1
        places.append(np.arange(count) * stride)
    padded = np.pad(given, ((0, 0), *pads, (0, 0)))
    tops, lefts = (each.ravel() for each in np.meshgrid(*places, indexing="ij"))
    if len(tops) > POSITIONS:
        some = random.choice(len(tops), POSITIONS, replace=False)
        tops, lefts = tops[some], lefts[some]
    height, width = window.size
    rows = tops[:, np.newaxis] + np.arange(height) * window.dilation[0]
    columns = lefts[:, np.newaxis] + np.arange(width) * window.dilation[1]
    found = padded[:, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return found.reshape(-1, height, width, given.shape[-1])
