"""The networks that are fitted, as descriptions: what they are made of, what they take to run.

A description is plain numbers, so that a search can weigh a network before it is built, and a
record can hold it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

IMAGE_SIZE = 28  # pixels, both ways
CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a layer takes: numbers between 0 and 1 have no say in it.

    Attributes:
        weights: how many numbers it stores.
        multiplications: per inference.
        values: what it reads and what it writes, in numbers, without the image, which the caller
            keeps.
        made: what it writes, in numbers.
    """

    weights: int
    multiplications: int
    values: int
    made: int


@dataclass(frozen=True, kw_only=True)
class Mlp:
    """Dense layers with ReLU, and a last one with softmax.

    Attributes:
        units: of each hidden layer.
        pooled: whether the means of 2 × 2 pixels are its input.
    """

    units: tuple[int, ...]
    pooled: bool = False

    def __str__(self) -> str:
        """Says what it is."""
        pooled = "means of 2 × 2 pixels, " * self.pooled
        return f"{pooled}dense layers of {', '.join(map(str, self.units))} units"

    @property
    def width(self) -> int:
        """Of the widest hidden layer, which says how much it overfits."""
        return max(self.units)

    def layers(self) -> Iterator[Layer]:
        """Yields what its layers take."""
        size = IMAGE_SIZE // (1 + self.pooled)
        inputs = size * size
        held = 0
        if self.pooled:
            held = inputs
            yield Layer(weights=0, multiplications=0, values=held, made=held)
        for units in (*self.units, CLASSES):
            count = inputs * units
            yield Layer(
                weights=count + units, multiplications=count, values=held + units, made=units
            )
            inputs = held = units


@dataclass(frozen=True, kw_only=True)
class Block:
    """A depthwise convolution and one of 1 × 1 (Howard et al. 2017, arXiv:1704.04861)."""

    filters: int
    stride: Literal[1, 2] = 1
    kernel: Literal[3, 5] = 3


@dataclass(frozen=True, kw_only=True)
class Separable:
    """A convolution, depthwise-separable blocks, the mean or maximum over all positions.

    Attributes:
        filters, kernel, stride: of the first convolution, the stem.
        blocks: what follows.
        pooled: whether the means of 2 × 2 pixels are its input.
        pooling: over all positions, before the last layer.
    """

    filters: int
    blocks: tuple[Block, ...]
    kernel: Literal[3, 5] = 3
    stride: Literal[1, 2] = 2
    pooled: bool = False
    pooling: Literal["mean", "max"] = "mean"

    def __str__(self) -> str:
        """Says what it is."""
        pooled = "means of 2 × 2 pixels, " * self.pooled
        blocks = ", ".join(f"{b.filters}{' halved' * (b.stride == 2)}" for b in self.blocks)
        return (
            f"{pooled}{self.filters} filters of {self.kernel} × {self.kernel}"
            f"{' halved' * (self.stride == 2)}, separable blocks of {blocks}"
        )

    @property
    def width(self) -> int:
        """Of the stem."""
        return self.filters

    def layers(self) -> Iterator[Layer]:
        """Yields what its layers take."""
        size, values = IMAGE_SIZE, 0
        if self.pooled:
            size //= 2
            values = size**2
            yield Layer(weights=0, multiplications=0, values=values, made=values)
        filters = 1

        def made(positions: int, channels: int, kernel: int, count: int) -> Layer:
            nonlocal values
            before, values = values, positions * channels
            return Layer(
                weights=count + channels,
                multiplications=positions * count,
                values=before + values,
                made=values,
            )

        size = math.ceil(size / self.stride)
        yield made(size * size, self.filters, self.kernel, self.filters * self.kernel**2)
        filters = self.filters
        for block in self.blocks:
            size = math.ceil(size / block.stride)
            yield made(size * size, filters, block.kernel, filters * block.kernel**2)
            yield made(size * size, block.filters, 1, filters * block.filters)
            filters = block.filters
        yield Layer(weights=0, multiplications=0, values=values + filters, made=filters)
        yield Layer(
            weights=filters * CLASSES + CLASSES,
            multiplications=filters * CLASSES,
            values=filters + CLASSES,
            made=CLASSES,
        )


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Convolutions of 3 × 3, twice halved: larger and more accurate, what others learn from.

    Attributes:
        filters: of the first; twice as many after each halving.
    """

    filters: int

    @property
    def width(self) -> int:
        """Of the first convolution."""
        return self.filters


Student = Mlp | Separable
Network = Student | Plain


def weights(network: Student) -> int:
    """Returns how many numbers a network stores: with 8 bits each, as many bytes at least."""
    return sum(layer.weights for layer in network.layers())


def multiplications(network: Student) -> int:
    """Returns how many multiplications with weights an inference takes."""
    return sum(layer.multiplications for layer in network.layers())


def memory(network: Student) -> int:
    """Returns the most numbers that one layer reads and writes: 8 bits each in memory."""
    return max(layer.values for layer in network.layers())


def made(network: Student) -> int:
    """Returns how many numbers all layers write: the time of a fit goes with it.

    Normalizing and rectifying them takes longer than multiplying, up to a hundred filters or so.
    """
    return sum(layer.made for layer in network.layers())
