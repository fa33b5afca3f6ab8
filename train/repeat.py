"""The options of an earlier run, read from its record, to repeat it."""

from pathlib import Path
from typing import Any

from train.common.artifact import read_json
from train.common.errors import ArtifactError
from train.common.record import SCHEMA_VERSION
from train.config import Recipe, Repeated

REMEDY = "give the model.json that `python -m train` wrote"


def recorded_options(path: Path) -> dict[str, Any]:
    """Returns the fields of `TrainConfig` with which a run ends in the model of a record.

    What its search found is taken from the record, so that nothing is searched.

    Raises:
        ArtifactError: the file is not a record of a training run.
    """
    content = read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
    try:
        recipe = content["recipe"]
        rates = tuple(map(float, recipe["learning_rates"]))
        return {
            "recipe": Recipe(**{**recipe, "learning_rates": rates}),
            "tuner": "none",
            "units": int(content["hyperparameters"]["units"]),
            "learning_rate": float(content["hyperparameters"]["learning_rate"]),
            "epochs": int(content["epochs"]["limit"]),
            "seed": int(content["seed"]),
            "repeated": Repeated(
                path=path,
                data_sha256=str(content["data"]["train_sha256"]),
                weights_sha256=str(content["model"]["weights_sha256"]),
            ),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is not a record of a training run ({error!r}); {REMEDY}"
        ) from error
