"""Builds a described network: 28 × 28 pixels to what its last layer reads."""

from typing import assert_never

import keras
import numpy as np

from train.recipes.networks import Mlp, Network, Plain, Separable

L = keras.layers
INNER_DROPOUT = 0.1  # of a large network, where it is halved the second time


def hidden(
    image: keras.KerasTensor,
    network: Network,
    dropout: float,
    centre: tuple[np.ndarray, float] | None,
) -> keras.KerasTensor:
    """Returns what the last layer of a network reads, (N, …) float32.

    Args:
        image: (N, 28, 28) float32 in 0…1.
        network: what to build.
        dropout: share of it that is left out at random in training.
        centre: the mean of the images, (28, 28), and what they are divided by less that; of an
            `Mlp` only, others normalize what their first convolution makes.
    """
    match network:
        case Mlp():
            return _dense(image, network, dropout, centre)
        case Separable():
            return _separable(image, network, dropout)
        case Plain():
            return _plain(image, network, dropout)
        case _:
            assert_never(network)


def _dense(
    image: keras.KerasTensor,
    network: Mlp,
    dropout: float,
    centre: tuple[np.ndarray, float] | None,
) -> keras.KerasTensor:
    x = _means(image) if network.pooled else image
    if centre is not None:
        mean = _means(centre[0][np.newaxis]).numpy()[0] if network.pooled else centre[0]
        variance = np.full_like(mean, centre[1] ** 2)
        axes = tuple(range(1, mean.ndim + 1))
        x = L.Normalization(axis=axes, mean=mean, variance=variance)(x)
    x = L.Flatten()(x)
    for number, units in enumerate(network.units):
        name = "hidden" if number == 0 else f"hidden_{number + 1}"
        x = L.Dropout(dropout)(L.Dense(units, activation="relu", name=name)(x))
    return x


def _means(image: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the means of 2 × 2 pixels, (N, 14, 14, 1)."""
    return L.AveragePooling2D(2)(L.Reshape((*image.shape[1:], 1))(image))


def _separable(image: keras.KerasTensor, network: Separable, dropout: float) -> keras.KerasTensor:
    x = _means(image) if network.pooled else L.Reshape((*image.shape[1:], 1))(image)
    x = _convolved(x, network.filters, network.kernel, network.stride)
    for block in network.blocks:
        depthwise = L.DepthwiseConv2D(block.kernel, block.stride, "same", use_bias=False)
        x = _normalized(depthwise(x))
        x = _normalized(L.Conv2D(block.filters, 1, use_bias=False)(x))
    pool = L.GlobalMaxPooling2D if network.pooling == "max" else L.GlobalAveragePooling2D
    return L.Dropout(dropout)(pool()(x))


def _plain(image: keras.KerasTensor, network: Plain, dropout: float) -> keras.KerasTensor:
    """Three sizes of picture, as the networks of Simonyan & Zisserman 2015 (arXiv:1409.1556)."""
    filters = network.filters
    x = _convolved(L.Reshape((*image.shape[1:], 1))(image), filters, 3)
    for factor in (2, 4):
        x = L.MaxPooling2D()(x)
        if factor == 4:
            x = L.Dropout(INNER_DROPOUT)(x)
        for _ in range(2):
            x = _convolved(x, factor * filters, 3)
    return L.Dropout(dropout)(L.GlobalAveragePooling2D()(x))


def _convolved(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int = 1
) -> keras.KerasTensor:
    return _normalized(L.Conv2D(filters, kernel, stride, "same", use_bias=False)(x))


def _normalized(x: keras.KerasTensor) -> keras.KerasTensor:
    return L.ReLU()(L.BatchNormalization()(x))
