"""Stratified K-fold cross-validation of the chosen hyperparameters."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.model_selection import StratifiedKFold

from train.common.command.progress import Progress
from train.data.fashion_mnist import LabelledImages
from train.data.fit_data import FitData
from train.fit.fit import fit
from train.fit.model import accuracy_of, build_model, outputs_of
from train.recipes.recipe import Hyperparameters


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Accuracy on each fold, 0…1, of a model fitted to the others."""

    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """The standard deviation over the folds, of a sample; folds share training images."""
        return float(np.std(self.accuracies, ddof=1))

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object."""
        return {
            "folds": list(self.accuracies),
            "mean": self.mean,
            "standard_deviation": self.deviation,
        }


def cross_validate(
    hyperparameters: Hyperparameters,
    training: LabelledImages,
    *,
    folds: int,
    epochs: int,
    seed: int,
    report: Progress,
) -> CrossValidation:
    """Fits a model to all folds but one, for every fold, and judges it on that one.

    All 60,000 training images take part, the held-out ones too, and no test image. The epochs
    are fixed, because stopping early by the fold that judges would flatter the result.

    Args:
        hyperparameters: those of every model.
        training: images and labels, (N, 28, 28) uint8 and (N,).
        folds: how many, at least 2, each with the classes' shares of the whole.
        epochs: the epochs of each fit.
        seed: seeds the folds, the weights, the shuffling and the dropout.
        report: told of every fold.
    """
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    accuracies = []
    for number, (others, fold) in enumerate(splitter.split(training.labels, training.labels)):
        keras.utils.set_random_seed(seed)
        held_out = training.take(fold)
        data = FitData.of(training.take(others), held_out)
        model = build_model(hyperparameters, data.mean_input())
        fit(model, hyperparameters, data, epochs=epochs, seed=seed, keep_last=True)
        accuracies.append(accuracy_of(outputs_of(model, held_out.images), held_out.labels))
        report.step(f"cross-validation: fold {number + 1}/{folds}: accuracy {accuracies[-1]:.2%}")
    return CrossValidation(accuracies=tuple(accuracies))
