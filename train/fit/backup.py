"""The state of a fit, kept on disk so that one that was cut off can go on."""

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from train.common.errors import damaged
from train.common.files.open import open_regular


@dataclass(kw_only=True)
class Progression:
    """How far a fit is.

    `losses` holds the loss of every training image when it was last seen, inf for one that never
    was; `history` is by epoch; `best_weights` are those of the best epoch.
    """

    losses: np.ndarray
    history: dict[str, list[float]] = field(default_factory=dict)
    best_weights: list[np.ndarray] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return len(self.history.get("val_accuracy", ()))

    @property
    def stale_epochs(self) -> int:
        """How many epochs ago validation accuracy was best for the first time."""
        return self.epochs and self.epochs - 1 - int(np.argmax(self.history["val_accuracy"]))


def _state(model: keras.Model) -> list[Any]:
    """Returns every variable that the next epoch depends on, the dropout's seed among them."""
    return [*model.variables, *model.optimizer.variables]


def save(backup: Path, model: keras.Model, done: Progression) -> None:
    """Writes the state of a fit after an epoch; the earlier one stays until this is whole."""
    temporary = backup.with_suffix(".tmp")
    arrays: dict[str, Any] = {
        **{f"state{n}": np.asarray(value) for n, value in enumerate(_state(model))},
        **{f"best{n}": value for n, value in enumerate(done.best_weights)},
        "losses": done.losses,
        **{f"history-{name}": np.array(values) for name, values in done.history.items()},
    }
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    temporary.replace(backup)


def restore(backup: Path, model: keras.Model) -> Progression:
    """Puts a model and its optimizer into a state that was saved; returns how far the fit was.

    Raises:
        ArtifactError: the file is corrupt, or of another network.
    """
    state = _state(model)
    try:
        with open_regular(backup) as file, np.load(file, allow_pickle=False) as archive:
            values = [archive[f"state{n}"] for n in range(len(state))]
            losses = archive["losses"]
            best = [archive[f"best{n}"] for n in range(len(model.weights))]
            curves = {
                name.removeprefix("history-"): archive[name].tolist()
                for name in archive.files
                if name.startswith("history-")
            }
        for variable, value in zip(state, values, strict=True):
            variable.assign(value)
    except (
        *(OSError, ValueError, LookupError, EOFError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        what = f"{backup}, the state of the fit that was cut off,"
        remedy = "delete it, or leave --resume out to fit from the start"
        raise damaged(what, error, remedy) from error
    return Progression(losses=losses, history=curves, best_weights=best)
