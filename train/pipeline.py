"""Data → search → fit → one evaluation on the test images → artifacts. Heavy."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from train import data as dataset
from train.artifact import (
    array_sha256,
    file_sha256,
    package_versions,
    publish,
    staging,
    write_json,
)
from train.config import RECIPES, Hyperparameters, TrainConfig
from train.crossvalidate import CrossValidation, cross_validate
from train.environment import read_environment
from train.model import FitData, accuracy_of, build_model, outputs_of, schedule_callbacks
from train.progress import Progress
from train.record import (
    MODEL_FILE,
    OUTPUTS_FILE,
    RECORD_FILE,
    ReferenceOutputs,
    as_model_json,
    save_outputs,
)
from train.tune import SEARCH_SHARE, Search, search

PLOTS_FOLDER = "plots"
VERSIONED_PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy")


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run found: accuracies in 0…1, times in seconds, the pictures drawn."""

    hyperparameters: Hyperparameters
    validation_accuracy: float
    test_accuracy: float
    search_seconds: float
    fit_seconds: float
    cross_validation: CrossValidation | None
    plots: tuple[Path, ...]


class ReportEpochs(keras.callbacks.Callback):
    """Says how the final fit goes, an epoch a line."""

    def __init__(self, report: Progress) -> None:
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reports one epoch."""
        values = logs or {}
        self._report.step(
            f"fit: epoch {epoch + 1}/{self.params['epochs']}: "
            f"training accuracy {values['accuracy']:.2%}, "
            f"validation accuracy {values['val_accuracy']:.2%}"
        )


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
        training = dataset.load_train(config.data)
        parts = dataset.split(training.labels)
        data = FitData.of(training.take(parts.train), training.take(parts.validation))

        epochs = config.epochs or RECIPES[config.recipe].epochs
        keras.utils.set_random_seed(config.seed)
        started = time.perf_counter()
        hyperparameters, found = _choose(config, data, report, training.sha256())
        searched = time.perf_counter()
        keras.utils.set_random_seed(config.seed)
        model, history = fit(hyperparameters, epochs, data, report)
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
            cross_validation=folds,
            plots=_draw(staged, training, history, found, outputs, test) if config.plots else (),
        )
        save_outputs(
            staged / OUTPUTS_FILE,
            ReferenceOutputs(
                outputs=outputs,
                model_sha256=model_sha256,
                data_sha256=test.sha256(),
                images_sha256=array_sha256(test.images),
                preprocessing=dataset.PREPROCESSING,
                labels=dataset.LABELS,
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
                },
                "accuracy": {
                    "validation": result.validation_accuracy,
                    "test": result.test_accuracy,
                },
                "hyperparameters": asdict(hyperparameters),
                "recipe": {"name": config.recipe, **asdict(RECIPES[config.recipe])},
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
                "data": {"train_sha256": training.sha256(), "test_sha256": test.sha256()},
                "preprocessing": asdict(dataset.PREPROCESSING),
                "labels": list(dataset.LABELS),
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
    return result


def fit(
    hyperparameters: Hyperparameters, epochs: int, data: FitData, report: Progress
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Fits a new model with early stopping; returns it with its best weights, and its history.

    The weights kept are those of the epoch with the best validation accuracy. Patience is a
    third of the epochs, since accuracy stalls while the learning rate is still high.
    """
    model = build_model(hyperparameters)
    history = model.fit(
        **data.fit_arguments(hyperparameters.batch_size),
        epochs=epochs,
        callbacks=[
            *schedule_callbacks(hyperparameters),
            keras.callbacks.EarlyStopping(
                monitor="val_accuracy",
                patience=max(3, epochs // 3),
                restore_best_weights=True,
                start_from_epoch=0,
            ),
            ReportEpochs(report),
        ],
    )
    curves = {name: np.asarray(values).tolist() for name, values in history.history.items()}
    return model, curves


def _choose(
    config: TrainConfig, data: FitData, report: Progress, data_sha256: str
) -> tuple[Hyperparameters, Search | None]:
    """Returns the user's hyperparameters if both were given, else the search's best."""
    recipe = RECIPES[config.recipe]
    if config.tuner == "none" or (config.units and config.learning_rate):
        return Hyperparameters.of(
            recipe,
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
