"""A search space of the user's own: a function that builds a model of keras-tuner's `hp`."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import keras_tuner

from train.common.errors import ToolkitError
from train.fit.model import compiled
from train.recipes.recipe import RECIPES, Hyperparameters, Recipe
from train.search.limits.weigh.candidates import told
from train.search.limits.weigh.costs import CostError

RECIPE: Recipe = replace(
    RECIPES["cnn"],
    name="own",
    learning_rate=2e-3,
    epochs=200,
    batch_size=64,
    warm_up=0.1,
    mirrored=0.0,
    taught=0.8,
    temperature=3.0,
)


class CustomSpace:
    """The networks that a function builds."""

    def __init__(self, name: str, learning_rate: float | None = None) -> None:
        """Imports the function.

        Args:
            name: `package.module:function`.
            learning_rate: for all; None for that of models which are compiled, else a common one.

        Raises:
            ToolkitError: there is no such function.
        """
        self._name, self._rate = name, learning_rate
        self._function = _imported(name)
        self._rates: dict[str, float] = {}

    def starts(self) -> list[list[dict[str, Any]]]:
        """Returns nothing: it begins anywhere."""
        return []

    def describe(self, hp: keras_tuner.HyperParameters) -> None:
        """Returns None: only the model tells what it is made of."""

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns what a network is fitted with; its learning rate once it was built."""
        rate = self._rate or self._rates.get(told(hp.values), RECIPE.learning_rate)
        return Hyperparameters(units=1, learning_rate=rate, recipe=RECIPE)

    def to_fit(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns a network's compiled model.

        Raises:
            CostError: the function raises, or what it returns is no classifier.
        """
        model = self.to_ship(hp)
        return compiled(model, self.hyperparameters(hp))

    def to_ship(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns a network's model, with random weights.

        Raises:
            CostError: the function raises, or what it returns is no classifier.
        """
        try:
            model = self._function(hp)
        except Exception as error:
            said = str(error).strip().splitlines() or [""]
            raise CostError(
                f"{self._name} raised {type(error).__name__}: {said[0]}, expected a Keras model, "
                f"of {told(hp.values)}"
            ) from error
        if not isinstance(model, keras.Model) or not model.built:
            raise CostError(
                f"{self._name} returned {type(model).__name__}, expected a built keras.Model, of "
                f"{told(hp.values)}"
            )
        shapes = [tuple(each.shape) for each in model.outputs]
        if len(model.inputs) != 1 or len(shapes) != 1 or len(shapes[0]) != 2:
            raise CostError(
                f"{self._name} returned a model with {len(model.inputs)} inputs and outputs of "
                f"shape {shapes}, expected one input and the probabilities of classes, of "
                f"{told(hp.values)}"
            )
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            self._rates[told(hp.values)] = float(optimizer.learning_rate)
        return model

    def shipped(self, model: keras.Model, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the model that was fitted."""
        return model


def _imported(name: str) -> Callable[[Any], Any]:
    module, _, attribute = name.partition(":")
    remedy = "give it as package.module:function"
    if not module or not attribute:
        raise ToolkitError(f"--space: got {name}, expected a function that builds models; {remedy}")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ToolkitError(
            f"--space: cannot import {name}: {type(error).__name__}: {error}; {remedy}"
        ) from error
    if not callable(found):
        raise ToolkitError(
            f"--space: {name} is a {type(found).__name__}, expected a function that builds models "
            f"of keras-tuner's hp; {remedy}"
        )
    function: Callable[[Any], Any] = found
    return function
