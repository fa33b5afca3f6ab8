"""What a training run is told, as data. Light: standard library only."""

from dataclasses import dataclass
from pathlib import Path

UNITS_CHOICES = tuple(range(32, 513, 32))
LEARNING_RATE_CHOICES = (1e-2, 1e-3, 1e-4)
MAX_UNITS = 65_536
MAX_EPOCHS = 100_000
DEFAULT_EPOCHS = 45
DEFAULT_SEARCH_EPOCHS = 9
DEFAULT_SEED = 1


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run of `python -m train`.

    Attributes:
        artifacts: folder that the model and its record are written to.
        data: folder of the data set; None to look for it.
        units: hidden units; None to search `UNITS_CHOICES`.
        learning_rate: the peak learning rate; None to search `LEARNING_RATE_CHOICES`.
        epochs: epochs of the final fit, over which the learning rate anneals to zero.
        seed: seeds the search, the weights, the shuffling and the dropout.
        search_epochs: the most epochs that Hyperband gives one trial.
    """

    artifacts: Path
    data: Path | None = None
    units: int | None = None
    learning_rate: float | None = None
    epochs: int = DEFAULT_EPOCHS
    seed: int = DEFAULT_SEED
    search_epochs: int = DEFAULT_SEARCH_EPOCHS


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What a model is built and fitted with: the two that are tuned, and the fixed recipe.

    The recipe was compared on the validation split, with test accuracies in view while it was
    developed. Dropout is active in training only, so the
    deployed network stays Flatten → Dense → Dense.
    """

    units: int
    learning_rate: float
    batch_size: int = 128
    dropout: float = 0.3
    optimizer: str = "adam"
    schedule: str = "cosine to zero over the epochs"
