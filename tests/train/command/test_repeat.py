"""The options of a run, read back from its record."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from train.command.repeat import recorded_options
from train.common.errors import ArtifactError, ToolkitError
from train.recipes.recipe import RECIPES

RECORD: dict[str, Any] = {
    "schema_version": 1,
    "recipe": asdict(RECIPES["default"]),
    "hyperparameters": {"units": 96, "learning_rate": 3e-4},
    "epochs": {"limit": 9, "run": 5},
    "seed": 4,
    "data": {"train_sha256": "d"},
    "model": {"weights_sha256": "w"},
}


def test_a_run_that_stopped_early_is_repeated_with_the_limit_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(RECORD))
    found = recorded_options(path)
    assert found["epochs"] == 9  # the learning rate falls over all of them
    assert found["recipe"] == RECIPES["default"]
    assert (found["tuner"], found["units"], found["learning_rate"]) == ("none", 96, 3e-4)
    assert found["seed"] == 4
    assert (found["repeated"].data_sha256, found["repeated"].weights_sha256) == ("d", "w")


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"units": 1}},
        {"epochs": 9},
        {"seed": None},
        {"hyperparameters": {"units": -5, "learning_rate": 3e-4}},
        {"hyperparameters": {"units": 96, "learning_rate": float("nan")}},
        {"hyperparameters": {"units": True, "learning_rate": 3e-4}},
        {"epochs": {"limit": 0}},
        {"epochs": {"limit": 10**400}},
        {"seed": 2**32},
        {"recipe": {**RECORD["recipe"], "optimizer": "mine"}},
        {"recipe": {**RECORD["recipe"], "batch_size": 0}},
        {"recipe": {**RECORD["recipe"], "dropout": 1}},
        {"recipe": {**RECORD["recipe"], "learning_rates": [0]}},
    ],
)
def test_what_is_no_record_of_a_run_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**RECORD, **changes}))
    with pytest.raises(ArtifactError, match=r"; give the model\.json that `python -m train` wrote"):
        recorded_options(path)


def test_a_search_for_limits_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"schema_version": 1, "limits": {"axis": "flash"}}))
    with pytest.raises(ToolkitError, match="give its --fit again"):
        recorded_options(path)
