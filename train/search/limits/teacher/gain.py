"""What a teacher gains: the same short fit with it and without, on the same held-out images."""

import time
from dataclasses import dataclass, replace

import keras
import keras_tuner
import numpy as np

from train.data.fit_data import EVALUATION_BATCH, FitData
from train.fit import forward
from train.fit.fit import fit
from train.search.limits.weigh.candidates import Space


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Held-out accuracies, 0…1, of the same fit with a teacher and without.

    Attributes:
        taught, untaught: the accuracies.
        standard_error: of their difference, image by image.
        epochs: of both fits.
    """

    taught: float
    untaught: float
    standard_error: float
    epochs: int

    @property
    def is_one(self) -> bool:
        """Whether a teacher gains anything; small dense networks are better off without."""
        return self.taught >= self.untaught

    @property
    def text(self) -> str:
        """What it comes to, in points."""
        gained = 100 * (self.taught - self.untaught)
        return (
            f"{self.taught:.2%} with a teacher, {self.untaught:.2%} without: {gained:+.2f} ± "
            f"{200 * self.standard_error:.2f} points, in fits of {self.epochs} epochs"
        )


def probe(
    space: Space, hp: keras_tuner.HyperParameters, data: FitData, *, epochs: int, seed: int
) -> tuple[float, Gain | None]:
    """Fits a network for a few epochs: with the teacher of `data` and without, if there is one.

    Returns:
        The seconds that an epoch takes on this machine, and what the teacher gains; None without.
    """
    hits, started = [], time.monotonic()
    ways = [data] if data.taught is None else [data, replace(data, taught=None)]
    for given in ways:
        keras.utils.set_random_seed(seed)
        model = space.to_fit(hp)
        fit(
            model,
            space.hyperparameters(hp),
            given,
            epochs=epochs,
            seed=seed,
            patience=epochs,
            keep_last=True,
        )
        hits.append(_hits(model, data))
    seconds = (time.monotonic() - started) / (len(ways) * epochs)
    if len(ways) == 1:
        return seconds, None
    taught, untaught = hits
    gain = Gain(
        taught=float(taught.mean()),
        untaught=float(untaught.mean()),
        standard_error=float(np.std(taught - untaught) / np.sqrt(len(taught))),
        epochs=epochs,
    )
    return seconds, gain


def _hits(model: keras.Model, data: FitData) -> np.ndarray:
    """Returns of each held-out image 1 if its class is found, else 0, (N,) float64."""
    found = [
        forward.logits(model, data.inputs(data.validation_images[at : at + EVALUATION_BATCH]))
        for at in range(0, len(data.validation_images), EVALUATION_BATCH)
    ]
    classes: np.ndarray = np.concatenate([np.argmax(each, axis=1) for each in found])
    return np.asarray(classes == data.validation_labels.numpy(), np.float64)
