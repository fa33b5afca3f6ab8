"""The teacher of small networks: one large network, fitted once, and what it says of every image.

What it says of each training image as it is, shifted and mirrored is kept, so that it costs the
students' fits nothing (Hinton et al. 2015, arXiv:1503.02531; of augmented images the teacher must
see what the student sees, Beyer et al. 2022, arXiv:2106.05237).
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from train.common.command.progress import Progress
from train.common.errors import ArtifactError
from train.common.files.artifact import content_sha256, file_sha256, read_json, write_json
from train.common.record import SCHEMA_VERSION
from train.data.fit_data import VIEWS, FitData, seen
from train.fit import forward
from train.fit.fit import ReportEpochs, fit
from train.fit.model import build_model
from train.fit.trainer import Trainer
from train.recipes.networks import Plain
from train.recipes.recipe import RECIPES, Hyperparameters

FILTERS = (48, 32, 24, 16, 8)  # the widest is taken whose epochs the budget allows
RECIPE = replace(
    RECIPES["cnn"],
    name="teacher",
    learning_rate=5e-3,
    epochs=24,
    warm_up=0.1,
    dropout=0.4,
    shifted=0.7,
    learnt_skipped=0.5,
)
EPOCH_SHARE = 0.7  # of an epoch's time, as learnt images are left out
PROBE_SHARE = 0.03  # of the images, to time a step
BATCH = 1_000
WAIT_S = 1.0
LOGITS_FILE, RECORD_FILE, STATE_FILE, MODEL_FILE = (
    "logits.npy",
    "teacher.json",
    "state.npz",
    "teacher.keras",
)


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """What a teacher says of the training images.

    Attributes:
        logits: (mirrored or not, views, N, classes) float16, before the softmax.
        record: what it is: its network or file, its accuracy on held-out images, 0…1.
    """

    logits: np.ndarray
    record: dict[str, object]


def fitted_teacher(
    folder: Path,
    data: FitData,
    *,
    seed: int,
    minutes: float,
    data_sha256: str,
    report: Progress,
    waits: bool = False,
) -> Teacher:
    """Returns the teacher that a budget allows, fitted now or before.

    Args:
        folder: under which it is kept, and goes on where its fit was cut off.
        data: what it is fitted to.
        seed: of its fit.
        minutes: what its fit may take on this machine; a wider network is another teacher.
        data_sha256: the hash of the images.
        report: told of every epoch.
        waits: whether another process fits it: a search's chief.

    Raises:
        ArtifactError: what is kept of it is corrupt.
    """
    identity = {"recipe": asdict(RECIPE), "seed": seed, "minutes": minutes, "data": data_sha256}
    kept = folder / f"teacher-{content_sha256(identity)[:12]}"
    if is_kept(kept, waits=waits):
        return read(kept)
    kept.mkdir(parents=True, exist_ok=True)
    choice, temporary = kept / "filters.json", kept / "filters.tmp"
    if not choice.is_file():
        filters = _widest(data, minutes, report)
        write_json(temporary, {"schema_version": SCHEMA_VERSION, "filters": filters})
        temporary.replace(choice)
    filters = int(read_json(choice, schema_version=SCHEMA_VERSION, remedy=_remedy(kept))["filters"])
    chosen = Hyperparameters(
        units=filters,
        learning_rate=RECIPE.learning_rate,
        recipe=RECIPE,
        network=Plain(filters=filters),
    )
    keras.utils.set_random_seed(seed)
    model = build_model(chosen)
    started = time.monotonic()
    history = fit(
        model,
        chosen,
        data,
        epochs=RECIPE.epochs,
        seed=seed,
        callbacks=[ReportEpochs(report, "teacher")],
        backup=kept / STATE_FILE,
        patience=RECIPE.epochs,
    )
    accuracy = Trainer(model, RECIPE, data).validate()["val_accuracy"]
    report.step("teacher: what it says of every image")

    @tf.function(autograph=False)
    def logits(images: tf.Tensor) -> tf.Tensor:
        return forward.logits(model, data.inputs(images))

    said = of_every_view(data, lambda images: logits(images).numpy())
    model.save(kept / MODEL_FILE)
    record: dict[str, object] = {
        "network": asdict(Plain(filters=filters)),
        "validation_accuracy": accuracy,
        "epochs": len(history["val_accuracy"]),
        "seconds": round(time.monotonic() - started),
    }
    return keep(kept, said, record)


def is_kept(kept: Path, *, waits: bool) -> bool:
    """Returns whether a teacher is finished, once it is where another process makes it."""
    while waits and not (kept / RECORD_FILE).is_file():
        time.sleep(WAIT_S)
    return (kept / RECORD_FILE).is_file()


def of_every_view(
    data: FitData, logits: Callable[[tf.Tensor], np.ndarray], batch: int = BATCH
) -> np.ndarray:
    """Returns logits of all training images as a fit shows them.

    Args:
        data: the images, or a user's inputs, which are shown as they are.
        logits: returns (n, classes) float32 for some of them.
        batch: for how many at a time.

    Returns:
        (mirrored or not, views, N, classes) float16.
    """
    count = len(data.images)
    rows = []
    views = [(mirrored, view) for mirrored in (False, True) for view in range(len(VIEWS))]
    if not data.raw:
        views = [(False, 0)]
    for mirrored, view in views:
        for at in range(0, count, batch):
            images = data.images[at : at + batch]
            if len(views) > 1:
                images = seen(images[:, :, ::-1] if mirrored else images, tf.constant(view))
            rows.append(logits(images).astype(np.float16))
    shape = (2, len(VIEWS)) if len(views) > 1 else (1, 1)
    return np.concatenate(rows).reshape(*shape, count, -1)


def read(kept: Path) -> Teacher:
    """Returns a teacher that is finished.

    Raises:
        ArtifactError: it is corrupt.
    """
    record = read_json(kept / RECORD_FILE, schema_version=SCHEMA_VERSION, remedy=_remedy(kept))
    file = kept / LOGITS_FILE
    try:
        is_whole = file_sha256(file) == record.pop("logits_sha256")
        logits = np.load(file, allow_pickle=False)
    except (OSError, ValueError, LookupError) as error:
        raise ArtifactError(f"{file} is corrupt ({error}); {_remedy(kept)}") from error
    if not is_whole:
        raise ArtifactError(f"{file} was changed after it was written; {_remedy(kept)}")
    return Teacher(logits=logits, record=record)


def keep(kept: Path, said: np.ndarray, record: dict[str, object]) -> Teacher:
    """Keeps what a teacher says in a folder, and once that is whole, what it is."""
    np.save(kept / LOGITS_FILE, said)
    digest = file_sha256(kept / LOGITS_FILE)
    temporary = kept / "record.tmp"
    content = {"schema_version": SCHEMA_VERSION, **record, "logits_sha256": digest}
    write_json(temporary, content)
    temporary.replace(kept / RECORD_FILE)
    (kept / STATE_FILE).unlink(missing_ok=True)
    return Teacher(logits=said, record=record)


def _widest(data: FitData, minutes: float, report: Progress) -> int:
    """Returns the filters of the widest teacher that can be fitted in so many minutes."""
    few = data.first(PROBE_SHARE)
    for filters in FILTERS:
        chosen = Hyperparameters(
            units=filters,
            learning_rate=RECIPE.learning_rate,
            recipe=RECIPE,
            network=Plain(filters=filters),
        )
        trainer = Trainer(build_model(chosen), RECIPE, few)
        losses = np.full(len(few.images), np.inf, np.float32)
        rates = np.full(trainer.steps, RECIPE.learning_rate, np.float32)
        for _ in range(2):  # the first traces
            started = time.monotonic()
            trainer.epoch(rates, np.random.default_rng(0), losses)
            seconds = (time.monotonic() - started) * len(data.images) / len(few.images)
        report.step(f"teacher: {filters} filters take {seconds:.0f} s per epoch")
        if seconds * RECIPE.epochs * EPOCH_SHARE <= 60 * minutes:
            break
    return filters


def _remedy(kept: Path) -> str:
    return f"delete {kept} to fit it again"
