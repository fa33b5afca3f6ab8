"""Search and fit on synthetic data: that what the user fixed stays fixed, and what is recorded."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tests.conftest import Heard, synthetic
from train.common.errors import ArtifactError, ToolkitError
from train.config import UNITS_CHOICES, TrainConfig
from train.data.fashion_mnist import LabelledImages
from train.data.fit_data import FitData
from train.recipes.recipe import RECIPES, Hyperparameters, Recipe
from train.search.tune import search, search_name

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

PLAIN = replace(RECIPES["notebook"], schedule="cosine")


@pytest.fixture(scope="module")
def data() -> FitData:
    train, validation = synthetic(400, seed=1), synthetic(100, seed=2)
    return FitData.of(
        LabelledImages(images=train.images, labels=train.labels.astype(np.uint8)),
        LabelledImages(images=validation.images, labels=validation.labels.astype(np.uint8)),
    )


def test_the_search_space_is_the_seeds() -> None:
    assert (*range(32, 513, 32),) == UNITS_CHOICES["mlp"]
    assert RECIPES["notebook"].learning_rates == (1e-2, 1e-3, 1e-4)


def quick(folder: Path, **changes: Any) -> TrainConfig:
    plain = TrainConfig(
        artifacts=folder,
        recipe=PLAIN,
        tuner="random",
        trials=2,
        learning_rate=1e-3,
        search_epochs=1,
    )
    return replace(plain, **changes)


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """Trials are not fitted; the recipes that they would have been fitted with are kept."""
    recipes = []

    def fit(model: Any, chosen: Hyperparameters, *_: Any, **__: Any) -> dict[str, list[float]]:
        recipes.append(chosen.recipe)
        return {"val_accuracy": [0.5]}

    monkeypatch.setattr("train.search.tuners.fit", fit)
    return recipes


@pytest.mark.parametrize(
    ("tuner", "trials"), [("hyperband", None), ("random", 3), ("bayesian", 3), ("grid", 3)]
)
def test_every_tuner_finds_the_best_of_its_trials_and_keeps_what_was_given(
    tuner: str, trials: int | None, data: FitData, tmp_path: Path
) -> None:
    epochs = 3 if tuner == "hyperband" else 1
    config = quick(tmp_path, tuner=tuner, trials=trials, seed=3, search_epochs=epochs)
    report = Heard()
    found = search(config, data, report, data_sha256="d")
    assert {trial["learning_rate"] for trial in found.trials} == {1e-3}
    assert {trial["units"] for trial in found.trials} <= set(UNITS_CHOICES["mlp"])
    assert len({trial["units"] for trial in found.trials}) > 1
    assert {trial["status"] for trial in found.trials} == {"COMPLETED"}
    if tuner != "hyperband":
        assert len(found.trials) == trials
        assert {trial["epochs"] for trial in found.trials} == {1}
    accuracies = {trial["units"]: trial["validation_accuracy"] for trial in found.trials}
    assert accuracies[found.best.units] == max(accuracies.values())
    assert found.best.learning_rate == 1e-3
    assert report.steps[0].startswith("search: trial 1, ")
    assert not list(tmp_path.glob("tuning/*/trial_*"))
    assert_on_the_dashboard(tmp_path / "logs", found.trials)


def assert_on_the_dashboard(logs: Path, trials: list[dict[str, Any]]) -> None:
    """Asserts that TensorBoard's HParams page has every trial, what was tuned and its accuracy."""
    (folder,) = logs.iterdir()
    logged: dict[int, Any] = {}
    for trial in folder.iterdir():
        events = EventAccumulator(str(trial / "execution0"))
        events.Reload()
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        tuned = HParamsPluginData.FromString(content).session_start_info.hparams
        validation = EventAccumulator(str(trial / "execution0" / "validation"))
        validation.Reload()
        (accuracies,) = (
            validation.Tensors(tag)
            for tag in validation.Tags()["tensors"]
            if tag.endswith("accuracy")
        )
        logged[int(trial.name) + 1] = (
            tuned["units"].number_value,
            tuned["learning_rate"].number_value,
            max(float(tf.make_ndarray(each.tensor_proto)) for each in accuracies),
        )
    assert logged == {
        trial["trial"]: (
            trial["units"],
            trial["learning_rate"],
            pytest.approx(trial["validation_accuracy"]),
        )
        for trial in trials
    }


@pytest.mark.parametrize("name", ["default", "cnn"])
def test_trials_are_fitted_briefly(
    name: str, data: FitData, tmp_path: Path, no_fit: list[Recipe]
) -> None:
    recipe = RECIPES[name]
    found = search(quick(tmp_path, recipe=recipe), data, Heard(), data_sha256="d")
    assert no_fit == [replace(recipe, shifted=0.0, learnt_skipped=0.0)] * 2
    assert found.best.recipe == recipe


def test_a_trial_is_scored_by_its_best_epoch(
    data: FitData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = {"val_accuracy": [0.5, 0.9, 0.7], "val_loss": [0.3, 0.2, 0.1]}
    monkeypatch.setattr("train.search.tuners.fit", lambda *_, **__: curves)
    found = search(quick(tmp_path), data, Heard(), data_sha256="d")
    assert [trial["validation_accuracy"] for trial in found.trials] == [0.9, 0.9]


def test_a_finished_search_is_not_repeated_unless_asked(
    data: FitData, tmp_path: Path, no_fit: list[Recipe]
) -> None:
    first = search(quick(tmp_path), data, Heard(), data_sha256="d")
    again = search(quick(tmp_path), data, Heard(), data_sha256="d")
    assert (again.best, again.trials) == (first.best, first.trials)
    assert (first.reused, again.reused, len(no_fit)) == (False, True, 2)
    anew = search(quick(tmp_path, overwrite=True), data, Heard(), data_sha256="d")
    assert (anew.reused, len(no_fit)) == (False, 4)


@pytest.mark.parametrize("tuner", ["hyperband", "random", "bayesian", "grid"])
def test_a_search_that_was_cut_off_goes_on_with_the_running_trial(
    tuner: str,
    data: FitData,
    tmp_path: Path,
    no_fit: list[Recipe],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class CutOffError(BaseException):
        """Nothing catches it, as nothing catches the end of a process."""

    def cut_off(*_: Any, **__: Any) -> dict[str, list[float]]:
        if fitted:
            raise CutOffError
        fitted.append(True)
        return {"val_accuracy": [0.5]}

    fitted: list[bool] = []
    short = {"trials": None, "search_epochs": 2} if tuner == "hyperband" else {"trials": 3}
    config = quick(tmp_path, tuner=tuner, **short)
    with monkeypatch.context() as patch:
        patch.setattr("train.search.tuners.fit", cut_off)
        with pytest.raises(CutOffError):
            search(config, data, Heard(), data_sha256="d")
    found = search(replace(config, resume=True), data, Heard(), data_sha256="d")
    assert len(no_fit) == len(found.trials) - 1
    assert [trial["trial"] for trial in found.trials] == list(range(1, len(found.trials) + 1))
    assert {trial["status"] for trial in found.trials} == {"COMPLETED"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"best": {}, "trials": []}'])
def test_a_corrupt_result_of_a_search_is_named(content: str, data: FitData, tmp_path: Path) -> None:
    folder = tmp_path / "tuning" / search_name(quick(tmp_path), "d")
    folder.mkdir(parents=True)
    (folder / "finished.json").write_text(content)
    with pytest.raises(ArtifactError, match="search again with --overwrite"):
        search(quick(tmp_path), data, Heard(), data_sha256="d")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_corrupt_state_of_a_search_is_named(content: str, data: FitData, tmp_path: Path) -> None:
    folder = tmp_path / "tuning" / search_name(quick(tmp_path), "d")
    folder.mkdir(parents=True)
    (folder / "tuner0.json").write_text("{}")
    (folder / "oracle.json").write_text(content)
    with pytest.raises(ArtifactError, match="leave --resume out to search from the start"):
        search(quick(tmp_path, resume=True), data, Heard(), data_sha256="d")
    assert (folder / "oracle.json").read_text() == content


def test_another_search_that_was_cut_off_is_not_gone_on_with(
    data: FitData, tmp_path: Path, no_fit: list[Recipe]
) -> None:
    other = tmp_path / "tuning" / search_name(quick(tmp_path, seed=9), "d")
    other.mkdir(parents=True)
    with pytest.raises(ToolkitError, match=f"is another search .{other.name}."):
        search(quick(tmp_path, resume=True), data, Heard(), data_sha256="d")
    assert search(quick(tmp_path), data, Heard(), data_sha256="d").trials
    assert other.is_dir()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"trials": 3},
        {"search_epochs": 2},
        {"units": 32},
        {"recipe": RECIPES["notebook"]},
        {"workers": 2},
    ],
)
def test_another_search_is_another_search(changes: dict[str, Any], tmp_path: Path) -> None:
    plain = search_name(quick(tmp_path), "d")
    assert search_name(quick(tmp_path / "elsewhere", epochs=7, plots=True), "d") == plain
    assert search_name(quick(tmp_path, **changes), "d") != plain
    assert search_name(quick(tmp_path), "other") != plain


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "Unable to create file (\nerrno = 28, total = 96)"),
        tf.errors.ResourceExhaustedError(None, None, "tuner0.json; No space left on device"),
    ],
)
def test_a_full_disk_ends_a_search_at_its_first_trial_in_one_line(
    error: Exception, data: FitData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fit(*arguments: object, **options: object) -> None:
        tried.append(True)
        raise error

    monkeypatch.setattr("train.search.tuners.fit", fit)
    with pytest.raises(ToolkitError, match=r"trials failed \(.*No space left on device\); fix"):
        search(quick(tmp_path), data, Heard(), data_sha256="")
    assert tried == [True]
