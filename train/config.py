"""The configuration of a training run: choices, defaults and limits."""

from dataclasses import dataclass
from pathlib import Path

from train.limits import Limits
from train.recipes.recipe import RECIPES, Recipe

# Filters in multiples of 8: the kernels compute 8 at a time, so that 20 take longer than 24.
UNITS_CHOICES = {"mlp": tuple(range(32, 513, 32)), "cnn": tuple(range(8, 49, 8))}
MAX_TRIALS = 10_000
MAX_FOLDS = 100
MAX_WORKERS = 256
DEFAULT_SEARCH_EPOCHS = 9
DEFAULT_TRIALS = 12
DEFAULT_SEED = 1
MAX_SEED = 2**32 - 1
DEFAULT_BUDGET_MINUTES = 20.0
DEFAULT_TEACHER_MINUTES = 15.0
MAX_MINUTES = 10_000
FIT_SEARCH_EPOCHS = 8  # Hyperband begins with a third: one epoch tells networks that fit ill apart
NO_TEACHER = "none"
FIT_FORMATS = ("tflite-int8", "c", "tflm", "onnx-int8")  # that networks are weighed in
TUNERS = ("hyperband", "random", "bayesian", "grid", "none")
DEFAULT_TUNER = "hyperband"
COUNTED_TUNERS = ("random", "bayesian", "grid")  # the ones that take --trials
DEFAULT_ARCHITECTURE = "mlp"
TUNING_FOLDER = "tuning"  # of the artifacts: the state of searches and of the final fit
LOGS_FOLDER = "logs"  # of the artifacts: what TensorBoard shows


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """The record of an earlier run that is to be repeated, with the hashes to compare."""

    path: Path
    data_sha256: str
    weights_sha256: str


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What `--fit` asks for: the best network within limits.

    Attributes:
        limits: what it is held to.
        format: what it is exported to, and weighed in.
        board: where it runs; None for this machine.
        minutes: how long search and fit may take together.
        teacher: the file of a model that teaches it, or `none`; None to fit one.
        teacher_minutes: how long that may take.
        space: `package.module:function` that builds the networks to choose from; None for ours.
        scale: what raw values of a user's data are multiplied by; None for 1.
    """

    limits: Limits
    format: str
    board: str | None = None
    minutes: float = DEFAULT_BUDGET_MINUTES
    teacher: str | None = None
    teacher_minutes: float = DEFAULT_TEACHER_MINUTES
    space: str | None = None
    scale: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run of `python -m train`.

    Attributes:
        artifacts: folder that the model and its record are written to.
        data: folder of the data set; None to look for it. With a space of the user's, where its
            examples are, as `export --calibration` takes it.
        recipe: how networks are fitted.
        tuner: how to search, one of `TUNERS`.
        trials: how many trials; None for the tuner's default, Hyperband's own number.
        search_epochs: the most epochs of one trial.
        units: how wide the network is; None to search `UNITS_CHOICES`.
        learning_rate: the peak learning rate; None to search the recipe's.
        epochs: the most epochs of the final fit; None for the recipe's.
        seed: seeds the search, the weights, the shuffling and the dropout.
        cross_validate: into how many folds the training images are split to estimate how much
            the accuracy varies; None not to.
        plots: whether to draw pictures.
        workers: how many processes share the trials of the search; None for this one alone.
        resume: whether to go on with a search or a fit that was cut off.
        overwrite: whether to search again although that is done.
        repeated: the record that this run is taken from.
        request: what `--fit` asks for; None without it.
    """

    artifacts: Path
    data: Path | None = None
    recipe: Recipe = RECIPES["default"]
    tuner: str = DEFAULT_TUNER
    trials: int | None = None
    search_epochs: int = DEFAULT_SEARCH_EPOCHS
    units: int | None = None
    learning_rate: float | None = None
    epochs: int | None = None
    seed: int = DEFAULT_SEED
    cross_validate: int | None = None
    plots: bool = False
    workers: int | None = None
    resume: bool = False
    overwrite: bool = False
    repeated: Repeated | None = None
    request: FitRequest | None = None

    @property
    def fit_epochs(self) -> int:
        """The most epochs of the final fit."""
        return self.epochs or self.recipe.epochs
