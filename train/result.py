"""What a training run found, and its record in `model.json`."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from train.common.environment import read_environment
from train.common.files.artifact import package_versions
from train.common.record import MODEL_FILE, as_model_json
from train.config import TrainConfig
from train.data import fashion_mnist as dataset
from train.data.fit_data import TrainingData
from train.fit.crossvalidate import CrossValidation
from train.recipes.recipe import Hyperparameters
from train.search.limits.search import Answer
from train.search.tune import SEARCH_SHARE, Search

VERSIONED_PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy")


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run found: accuracies in 0…1, times in seconds, the pictures drawn.

    `search` is None where nothing was searched, `answer` without limits, `cross_validation` where
    it was not asked for; `history` is by epoch.
    """

    hyperparameters: Hyperparameters
    search: Search | None
    answer: Answer | None = None
    history: dict[str, list[float]]
    cross_validation: CrossValidation | None
    validation_accuracy: float
    test_accuracy: float
    search_seconds: float
    fit_seconds: float
    parameters: int
    model_sha256: str
    model_size_bytes: int
    weights_sha256: str
    test_sha256: str
    plots: tuple[Path, ...]

    def as_json(
        self, config: TrainConfig, training: TrainingData, *, created: datetime
    ) -> dict[str, Any]:
        """Returns the content of `model.json`."""
        search, folds = self.search, self.cross_validation
        return as_model_json(
            {
                "created": created.isoformat(timespec="seconds"),
                "model": {
                    "file": MODEL_FILE,
                    "sha256": self.model_sha256,
                    "size_bytes": self.model_size_bytes,
                    "parameters": self.parameters,
                    "weights_sha256": self.weights_sha256,
                },
                "accuracy": {"validation": self.validation_accuracy, "test": self.test_accuracy},
                "hyperparameters": {
                    "units": self.hyperparameters.units,
                    "learning_rate": self.hyperparameters.learning_rate,
                },
                "network": asdict(self.hyperparameters.built),
                "recipe": asdict(self.hyperparameters.recipe),
                "epochs": {"limit": config.fit_epochs, "run": len(self.history["loss"])},
                "seed": config.seed,
                "search": search
                and {
                    "tuner": config.tuner,
                    "training_images": int(training.split.train.size * SEARCH_SHARE),
                    "trials": search.trials,
                },
                "limits": None
                if self.answer is None or config.request is None
                else self.answer.as_json(config.request),
                "cross_validation": folds and folds.as_json(),
                "history": self.history,
                "split": training.split.record(),
                "data": {"train_sha256": training.sha256, "test_sha256": self.test_sha256},
                "preprocessing": {dataset.INPUT_NAME: asdict(dataset.PREPROCESSING)},
                "labels": list(dataset.LABELS),
                "inputs": [asdict(dataset.INPUT)],
                "outputs": [asdict(dataset.OUTPUT)],
                "seconds": {"search": self.search_seconds, "fit": self.fit_seconds},
                "versions": package_versions(*VERSIONED_PACKAGES),
                "environment": read_environment().as_json(),
            }
        )
