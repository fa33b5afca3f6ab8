"""The final fit, of the hyperparameters that were chosen."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from train.common.command.progress import Progress
from train.common.files.artifact import content_sha256
from train.config import TUNING_FOLDER, Hyperparameters, TrainConfig
from train.data.fit_data import FitData
from train.fit.fit import ReportEpochs, fit
from train.fit.model import build_model, deployed

STATE_FILE = "state.npz"


@dataclass(frozen=True, kw_only=True)
class FinalFit:
    """A fitted model as it ships, and its curves by epoch."""

    model: keras.Model
    history: dict[str, list[float]]
    state: Path

    def forget(self) -> None:
        """Deletes the state that --resume would go on from; call it when the model is written."""
        shutil.rmtree(self.state)


def fit_final(
    config: TrainConfig,
    hyperparameters: Hyperparameters,
    data: FitData,
    report: Progress,
    data_sha256: str,
) -> FinalFit:
    """Fits a network; a fit that was cut off can go on.

    Args:
        config: the run.
        hyperparameters: the network's.
        data: what it is fitted to, and what its best epoch is chosen by.
        report: told of every epoch.
        data_sha256: the hash of the training images; a fit to others is another fit.

    Raises:
        ArtifactError: the state to go on from is corrupt.
    """
    identity = content_sha256(
        {
            **asdict(hyperparameters),
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
    model = build_model(hyperparameters, data.mean_input())
    history = fit(
        model,
        hyperparameters,
        data,
        epochs=config.fit_epochs,
        seed=config.seed,
        callbacks=[ReportEpochs(report)],
        backup=state / STATE_FILE,
    )
    return FinalFit(model=deployed(model, hyperparameters), history=history, state=state)
