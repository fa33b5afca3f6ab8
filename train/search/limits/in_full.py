"""The fits in full: of the most accurate network that fits, or of ever smaller good ones."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.common.files.artifact import content_sha256, read_json, write_json
from train.common.record import SCHEMA_VERSION
from train.config import TrainConfig
from train.data.fit_data import FitData
from train.fit.final import FinalFit, ToFit, fit_final
from train.limits import Limits, amount
from train.search.limits.teacher.gain import Gain, probe
from train.search.limits.trials import SPARE, Trial
from train.search.limits.weigh.candidates import Space, plain
from train.search.tune import SEARCH_SHARE

LEAST_EPOCHS = 5
PROBED_EPOCHS = 3
HOPELESS = 0.015  # less than is asked for, of what a trial is expected to reach
FITS = 3  # that share the time where the smallest network is looked for


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trial that was fitted in full; `gain` is what its teacher gained, None without one."""

    trial: Trial
    final: FinalFit
    gain: Gain | None

    def as_json(self) -> dict[str, Any]:
        """Returns the record of it."""
        return {
            **self.trial.as_json(),
            "validation_accuracy": self.accuracy,
            "epochs": len(self.final.history["val_accuracy"]),
            "teacher_gain": None if self.gain is None else asdict(self.gain),
        }

    @property
    def accuracy(self) -> float:
        """On held-out images, 0…1."""
        return self.final.accuracy


class InFull:
    """Fits trials' networks for as many epochs as the time allows."""

    def __init__(
        self,
        config: TrainConfig,
        space: Space,
        data: FitData,
        report: Progress,
        *,
        folder: Path,
        data_sha256: str,
    ) -> None:
        """Takes what fits are made with; the numbers of epochs are kept in `folder`."""
        self._config, self._space, self._data, self._report = config, space, data, report
        self._folder, self._data_sha256 = folder, data_sha256

    def fit(self, trial: Trial, seconds: float) -> Fitted:
        """Fits a network anew, without its teacher where that gains nothing.

        Args:
            trial: which.
            seconds: what it may take; a fit that goes on has the epochs that it had.
        """
        end = time.monotonic() + seconds
        chosen = self._space.hyperparameters(trial.hp)
        values = plain(trial.hp.values)
        self._report.step("probe: what an epoch takes, and what the teacher gains")
        few = self._data.first(SEARCH_SHARE)
        seed = self._config.seed
        took, gain = probe(self._space, trial.hp, few, epochs=PROBED_EPOCHS, seed=seed)
        data = self._data
        if gain is not None:
            self._report.milestone(f"teacher: {gain.text}")
            data = data if gain.is_one else replace(data, taught=None)
        kept = self._folder / f"epochs-{content_sha256(values)[:12]}.json"
        if self._config.resume and kept.is_file():
            remedy = "leave --resume out"
            epochs = int(read_json(kept, schema_version=SCHEMA_VERSION, remedy=remedy)["epochs"])
        else:
            possible = int((end - time.monotonic()) * SEARCH_SHARE / took)
            most = self._config.epochs or chosen.recipe.epochs
            epochs = min(most, max(LEAST_EPOCHS, possible))
            write_json(kept, {"schema_version": SCHEMA_VERSION, "epochs": epochs})
        final = fit_final(
            replace(self._config, epochs=epochs),
            chosen,
            data,
            self._report,
            self._data_sha256,
            ToFit(
                build=lambda: self._space.to_fit(trial.hp),
                ship=lambda model: self._space.shipped(model, trial.hp),
                name=[self._folder.name, values, data.taught is not None],
            ),
        )
        self._report.milestone(
            f"fit in full, {epochs} epochs: held-out accuracy {final.accuracy:.2%} "
            f"({trial.accuracy:.2%} after {trial.epochs})"
        )
        return Fitted(trial=trial, final=final, gain=gain)


def most_accurate(trials: Sequence[Trial], in_full: InFull, end: float) -> list[Fitted]:
    """Fits the most accurate of short fits until a time, by `time.monotonic`."""
    return [in_full.fit(trials[0], end - time.monotonic())]


def smallest(trials: Sequence[Trial], limits: Limits, in_full: InFull, end: float) -> list[Fitted]:
    """Looks for the network of the least cost that is accurate enough.

    Along the trials of which no other is both cheaper and expected to be more accurate: from the
    cheapest that is expected to be accurate enough with something to spare, halving what lies
    between it and those that are expected to be far from it.

    Returns:
        The fits in full, what was found first: the cheapest that is accurate enough, else the most
        accurate.
    """
    kind, least = limits.minimize, limits.accuracy
    if kind is None or least is None:
        raise ValueError("nothing to make small")
    front = along_the_front(trials, key=lambda trial: trial.costs[kind])
    last = len(front) - 1
    at, low = (
        next((n for n, trial in enumerate(front) if trial.expected >= least + spare), last)
        for spare in (SPARE, -HOPELESS)
    )
    high = len(front)
    found: dict[int, Fitted] = {}
    share = (end - time.monotonic()) / FITS
    while low < high:
        left = end - time.monotonic()
        if found and left < share / 2:
            break
        found[at] = in_full.fit(front[at], min(share, left))
        if found[at].accuracy >= least:
            high = at
        else:
            low = at + 1
        at = (low + high) // 2
    good = [n for n, fitted in found.items() if fitted.accuracy >= least]
    first = min(good) if good else max(found, key=lambda n: found[n].accuracy)
    return [found.pop(first), *found.values()]


def along_the_front(trials: Sequence[Trial], key: Callable[[Trial], float]) -> list[Trial]:
    """Returns the trials from which more is expected than of all that cost no more, by cost."""
    front: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (key(trial), -trial.expected)):
        if not front or trial.expected > front[-1].expected:
            front.append(trial)
    return front


def check_accuracy(found: Sequence[Fitted], limits: Limits) -> None:
    """Checks that the first of some fits is accurate enough.

    Raises:
        ToolkitError: it is not; by how much it misses is said.
    """
    best, least = found[0], limits.accuracy
    if least is None or best.accuracy >= least:
        return
    costs = "; ".join(limits.lines(best.trial.costs))
    raise ToolkitError(
        f"nothing that fits is accurate enough: the best reaches {best.accuracy:.2%} on held-out "
        f"images, {100 * (least - best.accuracy):.2f} points less than {amount('accuracy', least)} "
        f"({costs}); allow more, or a larger --budget; with --resume what was fitted is kept"
    )
