"""The larger network whose outputs are part of what the deployed one is fitted to. Heavy.

It is fitted to the training images only and never exported. What it says of them is kept, so
that the same command need not fit it again.
"""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from train.artifact import read_json, write_json
from train.config import Hyperparameters, Recipe
from train.errors import ArtifactError
from train.fit import ReportEpochs, fit
from train.fit_data import VIEWS, FitData
from train.forward import logits_of
from train.model import build_model
from train.progress import Progress

SCHEMA_VERSION = 1
LOGITS_FILE = "logits.npy"
RECORD_FILE = "teacher.json"
STATE_FILE = "state.npz"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a teacher says of the training images, and how good it is, 0…1.

    `logits` (views, N, 10) float32, in each of `VIEWS`; `seconds` that it took.
    """

    logits: np.ndarray
    validation_accuracy: float
    seconds: float
    reused: bool


def learn(recipe: Recipe, data: FitData, *, seed: int, report: Progress) -> Lesson:
    """Fits a teacher and asks it about every training image.

    Args:
        recipe: of the teacher.
        data: what it is fitted to, and judged by.
        seed: of its weights, shuffling, dropout and augmentation.
        report: told of every epoch.
    """
    return _learn(recipe, data, seed=seed, report=report, backup=None)


def learn_once(
    recipe: Recipe, data: FitData, *, seed: int, report: Progress, folder: Path, resume: bool
) -> Lesson:
    """Fits a teacher, or returns what the one that was fitted in this folder said.

    Args:
        recipe: of the teacher.
        data: what it is fitted to, and judged by.
        seed: of its weights, shuffling, dropout and augmentation.
        report: told of every epoch.
        folder: where its state and its outputs are kept; another for another teacher.
        resume: whether to go on with a fit that was cut off.

    Raises:
        ArtifactError: what is kept there is corrupt.
    """
    if (folder / RECORD_FILE).is_file():
        return _read(folder)
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / STATE_FILE
    lesson = _learn(recipe, data, seed=seed, report=report, backup=state)
    np.save(folder / LOGITS_FILE, lesson.logits)
    temporary = folder / "teacher.tmp"
    found = {"validation_accuracy": lesson.validation_accuracy, "seconds": lesson.seconds}
    write_json(temporary, {"schema_version": SCHEMA_VERSION, **found})
    temporary.replace(folder / RECORD_FILE)
    state.unlink()
    return lesson


def taught(data: FitData, lesson: Lesson) -> FitData:
    """Returns the data with what a teacher says of it."""
    return replace(data, soft_targets=tf.constant(lesson.logits))


def _learn(
    recipe: Recipe, data: FitData, *, seed: int, report: Progress, backup: Path | None
) -> Lesson:
    started = time.perf_counter()
    keras.utils.set_random_seed(seed)
    chosen = Hyperparameters(units=recipe.units, learning_rate=recipe.learning_rate, recipe=recipe)
    model = build_model(chosen)
    history = fit(
        model,
        chosen,
        data,
        epochs=recipe.epochs,
        seed=seed,
        callbacks=[ReportEpochs(report, "teacher")],
        backup=backup,
    )
    report.step("teacher: asking about the training images")
    logits = np.stack([logits_of(model, data.images, view).numpy() for view in range(len(VIEWS))])
    return Lesson(
        logits=logits,
        validation_accuracy=max(history["val_accuracy"]),
        seconds=round(time.perf_counter() - started, 2),
        reused=False,
    )


def _read(folder: Path) -> Lesson:
    remedy = f"delete {folder} to fit the teacher again"
    content = read_json(folder / RECORD_FILE, schema_version=SCHEMA_VERSION, remedy=remedy)
    try:
        return Lesson(
            logits=np.load(folder / LOGITS_FILE, allow_pickle=False),
            validation_accuracy=content["validation_accuracy"],
            seconds=content["seconds"],
            reused=True,
        )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ArtifactError(
            f"{folder}, the teacher's outputs, is corrupt ({error}); {remedy}"
        ) from error
