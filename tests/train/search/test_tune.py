"""Search and fit on synthetic data: that what the user fixed stays fixed, and what is recorded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tests.conftest import Heard, synthetic
from train import plots
from train.common.errors import ArtifactError, ToolkitError
from train.config import (
    RECIPES,
    UNITS_CHOICES,
    Hyperparameters,
    TrainConfig,
)
from train.data.fashion_mnist import LabelledImages
from train.data.fit_data import FitData
from train.fit.crossvalidate import CrossValidation, cross_validate
from train.fit.model import build_model, outputs_of
from train.search.tune import search, search_name

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


@pytest.mark.parametrize(
    ("tuner", "trials"), [("hyperband", None), ("random", 4), ("bayesian", 4), ("grid", 4)]
)
def test_every_tuner_finds_the_best_of_its_trials_and_keeps_what_was_given(
    tuner: str, trials: int | None, data: FitData, tmp_path: Path
) -> None:
    config = TrainConfig(
        artifacts=tmp_path,
        recipe=PLAIN,
        tuner=tuner,
        trials=trials,
        learning_rate=1e-3,
        seed=3,
        search_epochs=3 if tuner == "hyperband" else 1,
    )
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


@pytest.mark.parametrize("name", ["default", "cnn"])
def test_trials_are_fitted_briefly(
    name: str, data: FitData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = []

    def fit(model: Any, chosen: Hyperparameters, *_: Any, **__: Any) -> dict[str, list[float]]:
        fitted.append(chosen.recipe)
        return {"val_accuracy": [0.5]}

    monkeypatch.setattr("train.search.tuners.fit", fit)
    recipe = RECIPES[name]
    found = search(quick(tmp_path, recipe=recipe), data, Heard(), data_sha256="d")
    assert fitted == [replace(recipe, shifted=0.0, learnt_skipped=0.0)] * 2
    assert found.best.recipe == recipe


def test_a_finished_search_is_not_repeated_unless_asked(data: FitData, tmp_path: Path) -> None:
    first = search(quick(tmp_path), data, Heard(), data_sha256="d")
    again, report = search(quick(tmp_path), data, silent := Heard(), data_sha256="d"), silent
    assert (again.best, again.trials) == (first.best, first.trials)
    assert (first.reused, again.reused, report.steps) == (False, True, [])
    anew = search(quick(tmp_path, overwrite=True), data, silent := Heard(), data_sha256="d")
    assert not anew.reused
    assert silent.steps


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


def test_another_search_that_was_cut_off_is_not_gone_on_with(data: FitData, tmp_path: Path) -> None:
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


def test_every_trial_is_in_the_hparams_dashboards_files(data: FitData, tmp_path: Path) -> None:
    found = search(quick(tmp_path), data, Heard(), data_sha256="d")
    (logs,) = (tmp_path / "logs").iterdir()
    logged = {}
    for folder in logs.iterdir():
        events = EventAccumulator(str(folder / "execution0"))
        events.Reload()
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        info = HParamsPluginData.FromString(content).session_start_info
        logged[int(folder.name) + 1] = info.hparams["units"].number_value
    assert logged == {trial["trial"]: trial["units"] for trial in found.trials}


def test_cross_validation_is_stratified_and_repeats_itself() -> None:
    sample = synthetic(300, seed=1)
    training = LabelledImages(images=sample.images, labels=sample.labels.astype(np.uint8))
    hyperparameters = Hyperparameters(units=16, learning_rate=3e-3, recipe=PLAIN)

    def run(seed: int) -> CrossValidation:
        return cross_validate(
            hyperparameters, training, folds=3, epochs=4, seed=seed, report=Heard()
        )

    found = run(1)
    assert len(found.accuracies) == 3
    assert found.mean == pytest.approx(np.mean(found.accuracies))
    assert found.deviation == pytest.approx(np.std(found.accuracies, ddof=1))
    assert found.mean > 0.3
    assert run(1) == found
    assert run(2) != found


def test_plots_are_pictures(tmp_path: Path) -> None:
    sample = synthetic(200, seed=1)
    images = LabelledImages(images=sample.images, labels=sample.labels)
    names = [str(label) for label in range(10)]
    history = {name: [0.5, 0.6] for name in ("accuracy", "loss", "val_accuracy", "val_loss")}
    record = {"units": 32, "learning_rate": 1e-3, "epochs": 3, "validation_accuracy": 0.8}
    figures = {
        "articles": plots.articles(images, names),
        "learning-curves": plots.learning_curves(history),
        "trials": plots.trials([record, {**record, "validation_accuracy": None}]),
        "confusion": plots.confusion(np.eye(10, dtype=np.float32), np.arange(10), names),
    }
    for path in plots.save(figures, tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5_000
    assert {path.stem for path in tmp_path.iterdir()} == set(figures)


def test_the_deployed_network_is_the_seeds() -> None:
    model = build_model(Hyperparameters(units=416, learning_rate=1e-3, recipe=RECIPES["default"]))
    assert model.count_params() == 784 * 416 + 416 + 416 * 10 + 10
    outputs = outputs_of(model, synthetic(3, seed=1).images)
    assert outputs.shape == (3, 10)
    assert np.allclose(outputs.sum(axis=1), 1, atol=1e-6)
