"""How networks are fitted: the recipes, and a network with the values that were chosen for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from train.common.files.decode import Between
from train.recipes.networks import Block, Mlp, Network, Separable

LEARNING_RATE_CHOICES = (1e-2, 1e-3, 1e-4)  # the notebook's; a recipe may have its own
MAX_UNITS = 65_536
MAX_EPOCHS = 100_000
MAX_BATCH_SIZE = 65_536
Share = Annotated[float, Between(0, 1)]
LearningRate = Annotated[float, Between(1e-6, 1)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is fitted, whatever its size.

    Attributes:
        name: a key of `RECIPES`.
        architecture: one of `ARCHITECTURES`.
        units: how wide the network is where nothing is searched and no width is given.
        learning_rate: the peak learning rate where nothing is searched and none is given.
        learning_rates: the peak learning rates among which a search chooses.
        epochs: the most epochs of the final fit.
        batch_size: images per step; those that do not fill a last batch wait for the next epoch.
        optimizer: Keras's name of it, at its defaults but for the learning rate.
        schedule: `cosine` lowers the learning rate to zero over the epochs; `constant`.
        warm_up: share of all steps in which the learning rate rises to its peak.
        dropout: share of hidden units left out at random, in training only, so that the
            deployed network stays Flatten → Dense → Dense.
        dropout_full_units: the width from which on a network gets all of the dropout; narrower
            ones, which overfit less, get less in proportion.
        logit_bound: how far the outputs before the softmax may lie from their mean without a
            penalty. It keeps their range small, which makes them easy to quantize; None for no
            bound.
        logit_bound_weight: the weight in the loss of the squared excess over that bound.
        mirrored: share of the training images that are mirrored.
        shifted: share of the steps whose images are shifted by a pixel.
        input_deviation: what the inputs less their mean are divided by during the fit, which
            makes the descent faster (LeCun et al. 1998, Efficient BackProp, section 4.3) and is
            folded into the first layer afterwards; None to fit to the inputs as they are.
        learnt_skipped: share of the images learnt so far that each epoch leaves out.
        taught: the weight in the loss of what a teacher says of an image, beside its label.
        temperature: what the teacher's outputs before the softmax are divided by.
    """

    name: str
    architecture: Literal["mlp", "cnn"]
    units: Annotated[int, Between(1, MAX_UNITS)]
    learning_rate: LearningRate
    epochs: Annotated[int, Between(1, MAX_EPOCHS)]
    batch_size: Annotated[int, Between(1, MAX_BATCH_SIZE)]
    optimizer: Literal["adam"] = "adam"
    learning_rates: tuple[LearningRate, ...] = LEARNING_RATE_CHOICES
    schedule: Literal["cosine", "constant"] = "cosine"
    warm_up: Share = 0.0
    dropout: Annotated[float, Between(0, 0.95)] = 0.0
    dropout_full_units: Annotated[int, Between(1, MAX_UNITS)] = 1
    logit_bound: Annotated[float, Between(0, 1e6)] | None = None
    logit_bound_weight: Annotated[float, Between(0, 1e6)] = 0.0
    mirrored: Share = 0.0
    shifted: Share = 0.0
    input_deviation: Annotated[float, Between(1e-6, 1e6)] | None = None
    learnt_skipped: Annotated[float, Between(0, 0.95)] = 0.0
    taught: Share = 0.0
    temperature: Annotated[float, Between(1, 100)] = 1.0

    def dropout_of(self, units: int) -> float:
        """Returns the dropout of a network of some width."""
        return self.dropout * min(1.0, units / self.dropout_full_units)

    def brief(self) -> "Recipe":
        """Returns the recipe for a fit of few epochs, without what only pays off over many."""
        return replace(self, shifted=0.0, learnt_skipped=0.0)


# `default` and `cnn` were chosen by validation accuracy, with test accuracies in view while some
# of their parts were developed. `notebook` does what the notebook did that this job comes from.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="default",
            architecture="mlp",
            units=416,
            learning_rate=3e-3,
            learning_rates=(3e-3, 1e-3, 3e-4),
            epochs=120,
            batch_size=256,
            warm_up=0.05,
            dropout=0.4,
            dropout_full_units=256,
            logit_bound=8.0,
            logit_bound_weight=0.1,
            shifted=0.6,
            input_deviation=0.5,
            learnt_skipped=0.6,
        ),
        Recipe(
            name="cnn",
            architecture="cnn",
            units=16,
            learning_rate=8e-3,
            learning_rates=(2e-2, 8e-3, 3e-3),
            epochs=20,
            batch_size=128,
            warm_up=0.05,
            mirrored=0.5,
        ),
        Recipe(
            name="notebook",
            architecture="mlp",
            units=416,
            learning_rate=1e-3,
            epochs=35,
            batch_size=32,
            schedule="constant",
        ),
    )
}
# The default recipe of each architecture.
ARCHITECTURES = {"mlp": "default", "cnn": "cnn"}
# What the notebook reports for 416 units and 35 epochs, 0…1.
NOTEBOOK_ACCURACY = {"validation": 0.8952, "test": 0.8860}


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What a network is built and fitted with: the tuned values and the recipe.

    `units` is its width: the hidden units of the `mlp`, the filters of the `cnn`'s stem. `network`
    is None where the recipe's architecture has that width and nothing else is chosen.
    """

    units: int
    learning_rate: float
    recipe: Recipe
    network: Network | None = None

    @property
    def built(self) -> Network:
        """The network in full."""
        if self.network is not None:
            return self.network
        return NETWORKS[self.recipe.architecture](self.units)


def _three_blocks(filters: int) -> Separable:
    """14 by 14 pixels after the stem, 7 by 7 from the second block on."""
    blocks = Block(filters=2 * filters), Block(filters=3 * filters, stride=2)
    return Separable(filters=filters, blocks=(*blocks, Block(filters=3 * filters)))


NETWORKS: dict[str, Callable[[int], Network]] = {
    "mlp": lambda units: Mlp(units=(units,)),
    "cnn": _three_blocks,
}
