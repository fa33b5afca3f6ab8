"""Data → search → fit → one evaluation on the test images → artifacts. Heavy."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from train.common.artifact import (
    array_sha256,
    file_sha256,
    package_versions,
    publish,
    staging,
    write_json,
)
from train.common.environment import read_environment
from train.common.errors import DataError
from train.common.progress import Progress
from train.common.record import (
    MODEL_FILE,
    OUTPUTS_FILE,
    RECORD_FILE,
    ReferenceOutputs,
    as_model_json,
    save_outputs,
)
from train.config import Hyperparameters, TrainConfig
from train.data import fashion_mnist as dataset
from train.data.fit_data import FitData
from train.fit.crossvalidate import CrossValidation, cross_validate
from train.fit.final import fit_final
from train.fit.model import accuracy_of, outputs_of
from train.search.tune import SEARCH_SHARE, Search, search
from train.search.tune import work as run_trials

PLOTS_FOLDER = "plots"
VERSIONED_PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy")


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run found: accuracies in 0…1, times in seconds, the pictures drawn.

    `repeats` says whether the weights are those of the record that was to be repeated, None if
    there was none.
    """

    hyperparameters: Hyperparameters
    validation_accuracy: float
    test_accuracy: float
    search_seconds: float
    fit_seconds: float
    repeats: bool | None
    cross_validation: CrossValidation | None
    plots: tuple[Path, ...]


def train_and_evaluate(
    config: TrainConfig,
    report: Progress,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TrainResult:
    """Trains as `config` says and writes the model, its record and its reference outputs.

    The search and early stopping see the training and validation images only; the test images
    are loaded after the model is final and evaluated once.

    Raises:
        DataError: the data set cannot be had.
        ArtifactError: the artifacts folder cannot be written.
    """
    with staging(config.artifacts) as staged:
        training, data, parts = _load(config)
        data_sha256 = training.sha256()
        _check_repeats(config, data_sha256)

        epochs = config.epochs or config.recipe.epochs
        started = time.perf_counter()
        hyperparameters, found = _choose(config, data, report, data_sha256)
        searched = time.perf_counter()
        final = fit_final(
            config, hyperparameters, data, report, epochs=epochs, data_sha256=data_sha256
        )
        model, history = final.model, final.history
        fitted = time.perf_counter()
        folds = None
        if config.cross_validate is not None:
            folds = cross_validate(
                hyperparameters,
                training,
                folds=config.cross_validate,
                epochs=epochs,
                seed=config.seed,
                report=report,
            )

        model_path = staged / MODEL_FILE
        model.save(model_path)
        model_sha256 = file_sha256(model_path)
        weights_sha256 = array_sha256(*model.get_weights())
        test = dataset.load_test(config.data)
        outputs = outputs_of(model, test.images)
        validation = training.take(parts.validation)
        result = TrainResult(
            hyperparameters=hyperparameters,
            validation_accuracy=accuracy_of(
                outputs_of(model, validation.images), validation.labels
            ),
            test_accuracy=accuracy_of(outputs, test.labels),
            search_seconds=round(searched - started, 2),
            fit_seconds=round(fitted - searched, 2),
            repeats=None
            if config.repeated is None
            else config.repeated.weights_sha256 == weights_sha256,
            cross_validation=folds,
            plots=_draw(staged, training, history, found, outputs, test) if config.plots else (),
        )
        save_outputs(
            staged / OUTPUTS_FILE,
            ReferenceOutputs(
                outputs={dataset.OUTPUT_NAME: outputs},
                model_sha256=model_sha256,
                data_sha256=test.sha256(),
                inputs_sha256=array_sha256(test.images),
                preprocessing={dataset.INPUT_NAME: dataset.PREPROCESSING},
                labels=dataset.LABELS,
                inputs=(dataset.INPUT,),
            ),
        )
        record = as_model_json(
            {
                "created": now().isoformat(timespec="seconds"),
                "model": {
                    "file": MODEL_FILE,
                    "sha256": model_sha256,
                    "size_bytes": model_path.stat().st_size,
                    "parameters": model.count_params(),
                    "weights_sha256": weights_sha256,
                },
                "accuracy": {
                    "validation": result.validation_accuracy,
                    "test": result.test_accuracy,
                },
                "hyperparameters": {
                    "units": hyperparameters.units,
                    "learning_rate": hyperparameters.learning_rate,
                },
                "recipe": asdict(config.recipe),
                "epochs": {"limit": epochs, "run": len(history["loss"])},
                "seed": config.seed,
                "search": {
                    "tuner": config.tuner,
                    "training_images": int(parts.train.size * SEARCH_SHARE),
                    "trials": found.trials,
                }
                if found
                else None,
                "cross_validation": folds and folds.as_json(),
                "history": history,
                "split": parts.record(),
                "data": {"train_sha256": data_sha256, "test_sha256": test.sha256()},
                "preprocessing": {dataset.INPUT_NAME: asdict(dataset.PREPROCESSING)},
                "labels": list(dataset.LABELS),
                "inputs": [asdict(dataset.INPUT)],
                "outputs": [asdict(dataset.OUTPUT)],
                "seconds": {"search": result.search_seconds, "fit": result.fit_seconds},
                "versions": package_versions(*VERSIONED_PACKAGES),
                "environment": read_environment().as_json(),
            }
        )
        write_json(staged / RECORD_FILE, record)
        publish([staged / OUTPUTS_FILE, model_path, staged / RECORD_FILE], config.artifacts)
        if result.plots:
            folder = config.artifacts / PLOTS_FOLDER
            folder.mkdir(exist_ok=True)
            publish(list(result.plots), folder)
        final.forget()
    return result


def work(config: TrainConfig, report: Progress) -> None:
    """Runs trials of a shared search for its chief, as `config` says, and writes no model.

    Raises:
        DataError: the data set cannot be had.
        ToolkitError: the chief does another search, or is gone.
    """
    training, data, _ = _load(config)
    run_trials(config, data, report, data_sha256=training.sha256())


def _load(config: TrainConfig) -> tuple[dataset.LabelledImages, FitData, dataset.Split]:
    training = dataset.load_train(config.data)
    parts = dataset.split(training.labels)
    data = FitData.of(training.take(parts.train), training.take(parts.validation))
    return training, data, parts


def _check_repeats(config: TrainConfig, data_sha256: str) -> None:
    repeated = config.repeated
    if repeated is not None and repeated.data_sha256 != data_sha256:
        raise DataError(
            f"{repeated.path} was trained on other images: got SHA-256 {data_sha256[:12]}…, "
            f"expected {repeated.data_sha256[:12]}…; give --data the folder that it was trained on"
        )


def _choose(
    config: TrainConfig, data: FitData, report: Progress, data_sha256: str
) -> tuple[Hyperparameters, Search | None]:
    """Returns the user's hyperparameters if both were given, else the search's best."""
    recipe = config.recipe
    if config.tuner == "none":
        return Hyperparameters(
            recipe=recipe,
            units=config.units or recipe.units,
            learning_rate=config.learning_rate or recipe.learning_rate,
        ), None
    found = search(config, data, report, data_sha256=data_sha256)
    report.milestone(
        f"search: {len(found.trials)} trials{', done earlier' if found.reused else ''}, best "
        f"{found.best.units} units, learning rate {found.best.learning_rate:g}"
    )
    return found.best, found


def _draw(
    folder: Path,
    training: dataset.LabelledImages,
    history: dict[str, list[float]],
    found: Search | None,
    outputs: np.ndarray,
    test: dataset.LabelledImages,
) -> tuple[Path, ...]:
    """Draws the pictures of a run into a folder."""
    from train import plots  # matplotlib takes half a second, and most runs draw nothing

    figures = {
        "articles": plots.articles(training, dataset.LABELS),
        "learning-curves": plots.learning_curves(history),
        "confusion": plots.confusion(outputs, test.labels, dataset.LABELS),
    }
    if found is not None:
        figures["trials"] = plots.trials(found.trials)
    return tuple(plots.save(figures, folder))
