"""The final fit, of the hyperparameters that were chosen."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import keras

from train.common.command.progress import Progress
from train.common.files.artifact import content_sha256
from train.config import TUNING_FOLDER, TrainConfig
from train.data.fit_data import FitData
from train.fit.fit import ReportEpochs, fit
from train.fit.model import build_model, deployed
from train.fit.trainer import Trainer
from train.recipes.recipe import Hyperparameters

STATE_FILE = "state.npz"


@dataclass(frozen=True, kw_only=True)
class FinalFit:
    """A fitted model as it ships, its curves by epoch, its accuracy on held-out images, 0…1."""

    model: keras.Model
    accuracy: float
    history: dict[str, list[float]]
    state: Path

    def forget(self) -> None:
        """Deletes the state that --resume would go on from; call it when the model is written."""
        shutil.rmtree(self.state)


class ToFit(NamedTuple):
    """A network to be fitted.

    Attributes:
        build: returns its compiled model.
        ship: makes the model that ships of the fitted one.
        name: what tells it from others, a JSON value.
    """

    build: Callable[[], keras.Model]
    ship: Callable[[keras.Model], keras.Model]
    name: Any

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, data: FitData) -> Self:
        """Returns the network that hyperparameters describe."""
        return cls(
            build=lambda: build_model(hyperparameters, data.mean_input()),
            ship=lambda model: deployed(model, hyperparameters),
            name=hyperparameters.network and asdict(hyperparameters.network),
        )


def fit_final(
    config: TrainConfig,
    hyperparameters: Hyperparameters,
    data: FitData,
    report: Progress,
    data_sha256: str,
    network: ToFit | None = None,
) -> FinalFit:
    """Fits a network; a fit that was cut off can go on.

    Args:
        config: the run.
        hyperparameters: the network's.
        data: what it is fitted to, and what its best epoch is chosen by.
        report: told of every epoch.
        data_sha256: the hash of the training images; a fit to others is another fit.
        network: what builds it, where the hyperparameters do not say it.

    Raises:
        ArtifactError: the state to go on from is corrupt.
    """
    build, ship, name = network or ToFit.of(hyperparameters, data)
    identity = content_sha256(
        {
            **asdict(hyperparameters),
            "network": name,
            "epochs": config.fit_epochs,
            "seed": config.seed,
            "data": data_sha256,
        }
    )
    state = config.artifacts / TUNING_FOLDER / f"fit-{identity[:12]}"
    if not config.resume:
        shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    model = build()
    history = fit(
        model,
        hyperparameters,
        data,
        epochs=config.fit_epochs,
        seed=config.seed,
        callbacks=[ReportEpochs(report)],
        backup=state / STATE_FILE,
    )
    accuracy = Trainer(model, hyperparameters.recipe, data).validate()["val_accuracy"]
    return FinalFit(model=ship(model), accuracy=accuracy, history=history, state=state)
