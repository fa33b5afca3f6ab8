"""The fit of the network that was chosen, with its teacher, if it has one. Heavy."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from train.artifact import content_sha256
from train.config import Hyperparameters, TrainConfig
from train.fit import ReportEpochs, fit
from train.fit_data import FitData
from train.model import build_model
from train.progress import Progress
from train.teacher import STATE_FILE, Lesson, learn_once, taught
from train.tune import TUNING_FOLDER


@dataclass(frozen=True, kw_only=True)
class FinalFit:
    """A fitted model, its curves by epoch, and what its teacher said."""

    model: keras.Model
    history: dict[str, list[float]]
    lesson: Lesson | None
    state: Path

    def forget(self) -> None:
        """Deletes the state that it could have gone on from; for when the model is written."""
        shutil.rmtree(self.state)


def fit_final(
    config: TrainConfig,
    hyperparameters: Hyperparameters,
    data: FitData,
    report: Progress,
    *,
    epochs: int,
    data_sha256: str,
) -> FinalFit:
    """Fits a network, its teacher before it; each can be cut off and gone on with.

    Args:
        config: of the run.
        hyperparameters: of the network.
        data: what it is fitted to, and its best epoch chosen by.
        report: told of every epoch.
        epochs: at most.
        data_sha256: the hash of the training images; a fit to others is another fit.

    Raises:
        ArtifactError: what is to be gone on with is corrupt.
    """
    identity = content_sha256(
        {**asdict(hyperparameters), "epochs": epochs, "seed": config.seed, "data": data_sha256}
    )
    state = config.artifacts / TUNING_FOLDER / f"fit-{identity[:12]}"
    if not config.resume:
        shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, exist_ok=True)
    lesson = _learn(config, data, report, data_sha256)
    keras.utils.set_random_seed(config.seed)
    model = build_model(hyperparameters)
    history = fit(
        model,
        hyperparameters,
        taught(data, lesson) if lesson else data,
        epochs=epochs,
        seed=config.seed,
        callbacks=[ReportEpochs(report)],
        backup=state / STATE_FILE,
    )
    return FinalFit(model=model, history=history, lesson=lesson, state=state)


def _learn(config: TrainConfig, data: FitData, report: Progress, data_sha256: str) -> Lesson | None:
    """Returns what the recipe's teacher says of the training images, if it has one."""
    teacher = config.recipe.teacher
    if teacher is None:
        return None
    identity = content_sha256({**asdict(teacher), "seed": config.seed, "data": data_sha256})
    folder = config.artifacts / TUNING_FOLDER / f"teacher-{identity[:12]}"
    if config.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
    lesson = learn_once(
        teacher, data, seed=config.seed, report=report, folder=folder, resume=config.resume
    )
    report.milestone(
        f"teacher: validation accuracy {lesson.validation_accuracy:.2%}"
        + (", fitted earlier" if lesson.reused else f" ({lesson.seconds:.0f} s)")
    )
    return lesson
