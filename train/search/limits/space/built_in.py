"""The networks among which a search for limits chooses, as keras-tuner's hyperparameters."""

from dataclasses import replace
from typing import Any

import keras
import keras_tuner
import numpy as np

from train.fit.model import build_model, deployed
from train.recipes.networks import Block, Mlp, Network, Separable, Student
from train.recipes.recipe import RECIPES, Hyperparameters, Recipe

FAMILIES = ("cnn", "mlp")
UNITS = (8, 12, 16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512)
# Fours: oneDNN's batch normalization takes four times as long for 14 as for 16.
FILTERS = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64)
GROWTH = (1.0, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)  # of the filters, from block to block
MOST_BLOCKS = 6
SMALLEST = 7  # pixels, both ways, that pictures are halved down to
ROUNDED_TO = 4  # filters of a block
# Where a search begins: designs that did well before, as wide as the limits allow, and then grown.
GROWN = (1.5, 1.4, 1.3)
CNN: dict[str, Any] = {
    "family": "cnn",
    "pooled": False,
    "stride": 1,
    "blocks": 4,
    "late_kernel": 3,
    "halved_at": 3,
    "stem_kernel": 3,
    "pooling": "mean",
}
DESIGNS: tuple[dict[str, Any], ...] = (
    CNN,
    {**CNN, "blocks": 5},
    {**CNN, "blocks": 3},
    {**CNN, "stride": 2, "halved_at": 2, "late_kernel": 5},
    {"family": "mlp", "mlp_pooled": False, "layers": 1},
    {"family": "mlp", "mlp_pooled": True, "layers": 1},
)
# What small networks are fitted by; those of a search as well, over few epochs.
RECIPES_OF = {
    "cnn": replace(
        RECIPES["cnn"],
        epochs=200,
        warm_up=0.1,
        shifted=0.6,
        taught=0.8,
        temperature=3.0,
    ),
    "mlp": replace(
        RECIPES["default"],
        learning_rate=5e-3,
        epochs=600,
        warm_up=0.1,
        taught=0.5,
    ),
}


def network(hp: keras_tuner.HyperParameters) -> Student:
    """Returns the network that some hyperparameters stand for.

    Every scope is entered, whatever the choice: that is how keras-tuner finds what is in it.
    """
    family = hp.Choice("family", list(FAMILIES))
    with hp.conditional_scope("family", ["mlp"]):
        if family == "mlp":
            return _mlp(hp)
    with hp.conditional_scope("family", ["cnn"]):
        return _separable(hp)


def recipe_of(built: Network) -> Recipe:
    """Returns how a network is fitted."""
    return RECIPES_OF["mlp" if isinstance(built, Mlp) else "cnn"]


def _mlp(hp: keras_tuner.HyperParameters) -> Mlp:
    pooled = hp.Boolean("mlp_pooled")
    units = [hp.Choice("units", list(UNITS))]
    layers = hp.Int("layers", 1, 2)
    with hp.conditional_scope("layers", [2]):
        if layers == 2:
            units.append(hp.Choice("units_2", list(UNITS)))
    return Mlp(units=tuple(units), pooled=pooled)


def _separable(hp: keras_tuner.HyperParameters) -> Separable:
    filters = hp.Choice("filters", list(FILTERS))
    pooled = hp.Boolean("pooled")
    stride: Any = hp.Choice("stride", [1, 2])
    growth = hp.Choice("growth", list(GROWTH))
    count = hp.Int("blocks", 2, MOST_BLOCKS)
    late = hp.Choice("late_kernel", [3, 5])
    halved = hp.Choice("halved_at", [1, 2, 3])
    size = 28 // (1 + pooled) // stride
    halvings = {halved - 1} if size > SMALLEST else set()
    if size > 2 * SMALLEST:
        halvings.add(0 if halved > 1 else 1)
    blocks, width = [], float(filters)
    for number in range(count):
        is_halved = number in halvings
        width *= growth
        blocks.append(
            Block(
                filters=max(1, round(width / ROUNDED_TO)) * ROUNDED_TO,
                stride=2 if is_halved else 1,
                kernel=late if number >= max(halvings, default=0) else 3,
            )
        )
    return Separable(
        filters=filters,
        blocks=tuple(blocks),
        kernel=hp.Choice("stem_kernel", [3, 5]),
        stride=stride,
        pooled=pooled,
        pooling=hp.Choice("pooling", ["mean", "max"]),
    )


_FILTERS = [
    {"filters": filters, "growth": growth} for filters in reversed(FILTERS) for growth in GROWN
]
_UNITS = [{"units": units} for units in reversed(UNITS)]


class BuiltIn:
    """The networks of this file, fitted and shipped."""

    def __init__(self, mean_input: np.ndarray, learning_rate: float | None = None) -> None:
        """Takes the mean of the training images, (784,) float32, and a learning rate for all."""
        self._mean, self._rate = mean_input, learning_rate

    def starts(self) -> list[list[dict[str, Any]]]:
        """Returns where to begin: values of networks, of each design the widest first."""
        return [
            [{**design, **width} for width in (_FILTERS if design["family"] == "cnn" else _UNITS)]
            for design in DESIGNS
        ]

    def describe(self, hp: keras_tuner.HyperParameters) -> Student:
        """Returns what a network is made of."""
        return network(hp)

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns what it is fitted with."""
        found = network(hp)
        recipe = recipe_of(found)
        rate = self._rate or recipe.learning_rate
        return Hyperparameters(units=found.width, learning_rate=rate, recipe=recipe, network=found)

    def to_fit(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns its compiled model, which centres its inputs if it is an MLP."""
        return build_model(self.hyperparameters(hp), self._mean)

    def to_ship(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns its model as it ships."""
        return build_model(self.hyperparameters(hp))

    def shipped(self, model: keras.Model, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the model that ships of one that was fitted."""
        return deployed(model, self.hyperparameters(hp))
