"""The options of an earlier run, read from its record, to repeat it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from train.common.errors import ToolkitError
from train.common.files.artifact import read_json
from train.common.files.decode import Between, Decoder
from train.common.record import SCHEMA_VERSION
from train.config import MAX_SEED, Repeated
from train.recipes.recipe import MAX_EPOCHS, MAX_UNITS, LearningRate, Recipe

REMEDY = "give the model.json that `python -m train` wrote"


@dataclass(frozen=True, kw_only=True)
class _Hyperparameters:
    units: Annotated[int, Between(1, MAX_UNITS)]
    learning_rate: LearningRate


@dataclass(frozen=True, kw_only=True)
class _Epochs:
    limit: Annotated[int, Between(1, MAX_EPOCHS)]


@dataclass(frozen=True, kw_only=True)
class _Data:
    train_sha256: str


@dataclass(frozen=True, kw_only=True)
class _Model:
    weights_sha256: str


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What is read of the record, within the bounds that the command line has."""

    recipe: Recipe
    hyperparameters: _Hyperparameters
    epochs: _Epochs
    seed: Annotated[int, Between(0, MAX_SEED)]
    data: _Data
    model: _Model


def recorded_options(path: Path) -> dict[str, Any]:
    """Returns the fields of `TrainConfig` with which a run ends in the model of a record.

    What its search found is taken from the record, so that nothing is searched.

    Raises:
        ArtifactError: the file is not a record of a training run.
        ToolkitError: it is of one with `--fit`.
    """
    content = read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
    if content.get("limits") is not None:
        raise ToolkitError(
            f"{path} is of a search for limits, which --from cannot repeat; give its --fit again, "
            "with the same --seed"
        )
    found = Decoder(remedy=REMEDY).decode(_Record, content, str(path))
    return {
        "recipe": found.recipe,
        "tuner": "none",
        "units": found.hyperparameters.units,
        "learning_rate": found.hyperparameters.learning_rate,
        "epochs": found.epochs.limit,
        "seed": found.seed,
        "repeated": Repeated(
            path=path,
            data_sha256=found.data.train_sha256,
            weights_sha256=found.model.weights_sha256,
        ),
    }
