"""Data → search → fit → one evaluation on the test images → artifacts. Heavy."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

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
from train.config import Hyperparameters, TrainConfig
from train.environment import read_environment
from train.model import CosineAnnealing, FitData, accuracy_of, build_model, outputs_of
from train.progress import Progress
from train.record import (
    MODEL_FILE,
    OUTPUTS_FILE,
    RECORD_FILE,
    ReferenceOutputs,
    as_model_json,
    save_outputs,
)
from train.tune import SEARCH_SHARE, search

VERSIONED_PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy")


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run found: accuracies in 0…1, times in seconds."""

    hyperparameters: Hyperparameters
    validation_accuracy: float
    test_accuracy: float
    search_seconds: float
    fit_seconds: float


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

        keras.utils.set_random_seed(config.seed)
        started = time.perf_counter()
        hyperparameters, trials = _choose(config, data, report)
        searched = time.perf_counter()
        keras.utils.set_random_seed(config.seed)
        model, history = fit(hyperparameters, config.epochs, data, report)
        fitted = time.perf_counter()

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
                "epochs": {"limit": config.epochs, "run": len(history["loss"])},
                "seed": config.seed,
                "search": {
                    "tuner": "hyperband",
                    "training_images": int(parts.train.size * SEARCH_SHARE),
                    "trials": trials,
                }
                if trials
                else None,
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
            CosineAnnealing(hyperparameters.learning_rate),
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
    config: TrainConfig, data: FitData, report: Progress
) -> tuple[Hyperparameters, list[dict[str, Any]]]:
    """Returns the user's hyperparameters if both were given, else the search's best."""
    if config.units is not None and config.learning_rate is not None:
        return Hyperparameters(units=config.units, learning_rate=config.learning_rate), []
    chosen, trials = search(config, data, report)
    report.milestone(
        f"search: {len(trials)} trials, best {chosen.units} units, "
        f"learning rate {chosen.learning_rate:g}"
    )
    return chosen, trials
