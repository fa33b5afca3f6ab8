"""A teacher that the user names: a model's file, loaded by `export`, which runs no code of it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.common.files.artifact import content_sha256, file_sha256
from train.data.fit_data import FitData
from train.search.limits.teacher.fitted import Teacher, is_kept, keep, of_every_view, read
from train.search.limits.weigh.costs import CostProcess

SUM_TOLERANCE = 0.02  # of probabilities, to 1
SMALLEST = 1e-7  # of a probability, whose logarithm is taken


def named_teacher(
    path: str,
    folder: Path,
    data: FitData,
    classes: int,
    *,
    data_sha256: str,
    report: Progress,
    waits: bool = False,
) -> Teacher:
    """Returns what a model's file says of the training images.

    Args:
        path: the model, in any form that `export` reads.
        folder: under which its outputs are kept.
        data: the images.
        classes: how many there are.
        data_sha256: the hash of the images.
        report: told of it.
        waits: whether another process asks it: a search's chief.

    Raises:
        ToolkitError: the model does not exist, cannot be loaded, or is of another task.
    """
    model = Path(path)
    if not model.exists():
        raise ToolkitError(f"--teacher: {path} does not exist; give a Keras model, or none")
    digest = file_sha256(model) if model.is_file() else str(model.resolve())
    kept = folder / f"teacher-{content_sha256({'model': digest, 'data': data_sha256})[:12]}"
    if is_kept(kept, waits=waits):
        return read(kept)
    kept.mkdir(parents=True, exist_ok=True)
    with CostProcess() as process:

        def outputs(images: tf.Tensor) -> np.ndarray:
            given, made = kept / "inputs.npy", kept / "outputs.npy"
            np.save(given, data.inputs(images).numpy())
            try:
                process.ask({"outputs": path, "inputs": str(given), "to": str(made)})
                found: np.ndarray = np.load(made, allow_pickle=False)
                return found
            except ToolkitError as error:
                raise ToolkitError(f"--teacher: {error}") from error
            finally:
                given.unlink()
                made.unlink(missing_ok=True)

        held = outputs(data.validation_images)
        check_outputs(path, held, classes)
        report.step("teacher: what it says of every image")
        said = of_every_view(
            data,
            lambda images: np.log(np.maximum(outputs(images), SMALLEST)),
            batch=len(data.images),
        )
    accuracy = float(np.mean(held.argmax(axis=1) == data.validation_labels.numpy()))
    return keep(kept, said, {"file": path, "sha256": digest, "validation_accuracy": accuracy})


def check_outputs(path: str, outputs: np.ndarray, classes: int) -> None:
    """Checks that a teacher's outputs are probabilities of so many classes.

    Args:
        path: of the teacher.
        outputs: (N, …).
        classes: how many there are.

    Raises:
        ToolkitError: they are not.
    """
    if outputs.ndim != 2 or outputs.shape[1] != classes:
        raise ToolkitError(
            f"--teacher: {path} has outputs of shape {outputs.shape[1:]}, expected the "
            f"probabilities of {classes} classes; give a model of the same task"
        )
    sums = outputs.sum(axis=1)
    if (
        not np.isfinite(outputs).all()
        or outputs.min() < 0
        or np.abs(sums - 1).max() > SUM_TOLERANCE
    ):
        raise ToolkitError(
            f"--teacher: {path} returns numbers from {outputs.min():.3g} to {outputs.max():.3g} "
            "that do not add up to 1, expected probabilities; give it a softmax as its last layer"
        )
