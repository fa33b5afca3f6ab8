"""Short fits of networks that fit, and what they say."""

import math
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras_tuner

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.common.files.artifact import content_sha256
from train.config import TUNING_FOLDER, FitRequest, TrainConfig
from train.data.fit_data import FitData
from train.limits import Kind, amount
from train.recipes.networks import made
from train.search import distribute
from train.search.limits.tuning import LimitsModel, hold_to
from train.search.limits.weigh.candidates import Candidates, Space, plain, told
from train.search.limits.weigh.costs import CostProcess, Costs
from train.search.tune import SEARCH_SHARE, run_tuner
from train.search.tuners import ReportTrials, make_tuner

# Accuracy that a fit in full adds to one of so many epochs, and to others by the square root.
GAINED, GAINED_AFTER = 0.02, 9
SPARE = 0.005  # more than is asked for, of one that is held to be accurate enough
EPOCHS_IN_FULL = 25  # at least, of a network that is worth a trial
MANY_VALUES = 5_000  # the time of an epoch that writes fewer does not go with them
SECONDS_PER_VALUE = 4e-4  # of an epoch, by the numbers that layers write; until it is measured
COSTS_FOLDER = "costs"  # beside the searches: shared by those of one format and board


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A network that was fitted for a few epochs.

    Attributes:
        hp: its values, as keras-tuner keeps them.
        costs: what it costs.
        accuracy: on held-out images, 0…1.
        epochs: of its fit.
    """

    hp: keras_tuner.HyperParameters
    costs: dict[Kind, float]
    accuracy: float
    epochs: int

    @property
    def expected(self) -> float:
        """The accuracy that a fit in full is expected to reach, 0…1."""
        return expected(self.accuracy, self.epochs)

    def as_json(self) -> dict[str, Any]:
        """Returns the record of it."""
        return {
            "network": plain(self.hp.values),
            "costs": dict(self.costs),
            "validation_accuracy": self.accuracy,
            "epochs": self.epochs,
        }


def expected(accuracy: float, epochs: int) -> float:
    """Returns the accuracy that a fit in full is expected to reach after that of a short one."""
    return accuracy + GAINED * math.sqrt(GAINED_AFTER / epochs)


def folder_of(config: TrainConfig, request: FitRequest, data_sha256: str) -> Path:
    """Returns where the state of a search for limits is kept; one of other options has another."""
    identity = content_sha256(
        {
            "request": asdict(request),
            "tuner": config.tuner,
            "trials": config.trials,
            "search_epochs": config.search_epochs,
            "learning_rate": config.learning_rate,
            "seed": config.seed,
            "distributed": distribute.is_distributed(config),
            "data": data_sha256,
        }
    )
    return config.artifacts / TUNING_FOLDER / f"fit-to-{identity[:12]}"


def run_trials(
    config: TrainConfig,
    request: FitRequest,
    space: Space,
    data: FitData,
    report: Progress,
    *,
    folder: Path,
    end: float,
    seconds_in_full: float,
) -> tuple[list[Trial], list[dict[Kind, float]]]:
    """Weighs networks, fits those that fit for a few epochs, and returns these.

    Args:
        config: the run.
        request: the limits.
        space: the networks.
        data: what they are fitted to and judged by.
        report: told of every step.
        folder: of the search's state.
        end: when to stop, by `time.monotonic`.
        seconds_in_full: what a fit in full may take; slower networks are not fitted at all.

    Returns:
        The trials, the most accurate first; of a network that was fitted several times, its longest
        fit. And the costs of networks that were weighed and not fitted, at least.

    Raises:
        ToolkitError: no network fits, or trials fail.
    """
    if not config.resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if config.workers:
            stack.enter_context(distribute.chief_here())
        candidates = weigher(config, request, space, report, folder, stack)
        tuner = make_tuner(config, LimitsModel(space, config.seed), folder)
        look = partial(_look, candidates, config, tuner, seconds_in_full)
        draws = hold_to(tuner.oracle, candidates, end, look)
        callback = ReportTrials(report, tuner, config.search_epochs)
        if distribute.is_chief():
            own = config.workers and stack.enter_context(
                distribute.Workers(config, report, count=config.workers)
            )
            tuner.serve(own or None)
        else:
            run_tuner(tuner, arguments(config, data, [callback]))
        trials = [
            _trial(trial, candidates, config.search_epochs)
            for trial in tuner.oracle.trials.values()
            if trial.score is not None
        ]
        if not trials:
            raise ToolkitError(_nothing_fits(candidates, draws.refused))
    best: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: (trial.epochs, trial.accuracy)):
        best[told(trial.hp.values)] = trial
    others = [costs for key, costs in candidates.weighed.items() if key not in best]
    ordered = sorted(best.items(), key=lambda item: (-item[1].accuracy, item[0]))
    return [trial for _, trial in ordered], others


def weigher(
    config: TrainConfig,
    request: FitRequest,
    space: Space,
    report: Progress,
    folder: Path,
    stack: ExitStack,
) -> Candidates:
    """Returns what weighs networks, with a process that ends with the stack."""
    name = "-".join((request.format, *([request.board] if request.board else [])))
    costs = Costs(
        stack.enter_context(CostProcess()),
        target={"format": request.format, "board": request.board},
        needed=request.limits.needed,
        file=config.artifacts / TUNING_FOLDER / COSTS_FOLDER / f"{name}.json",
    )
    return Candidates(space=space, limits=request.limits, costs=costs, folder=folder, report=report)


def arguments(config: TrainConfig, data: FitData, callbacks: list[Any]) -> dict[str, Any]:
    """Returns the arguments of a tuner's search."""
    found: dict[str, Any] = {"data": data.first(SEARCH_SHARE), "callbacks": callbacks}
    if config.tuner != "hyperband":  # which grants its trials their epochs itself
        found["epochs"] = config.search_epochs
    return found


def _trial(trial: Any, candidates: Candidates, epochs: int) -> Trial:
    return Trial(
        hp=trial.hyperparameters,
        costs=candidates.weigh(trial.hyperparameters),
        accuracy=trial.score,
        epochs=trial.hyperparameters.values.get("tuner/epochs", epochs),
    )


def _look(
    candidates: Candidates, config: TrainConfig, tuner: Any, seconds_in_full: float, oracle: Any
) -> None:
    """Notes what can be fitted in full in time, and the cheapest that is expected to be good."""
    rates = []
    for number, seconds in tuner.seconds.items():
        hp = oracle.trials[number].hyperparameters
        network, values = candidates.space.describe(hp), hp.values
        ran = values.get("tuner/epochs", config.search_epochs)
        ran -= values.get("tuner/initial_epoch", 0)
        if network is not None and made(network) >= MANY_VALUES:
            rates.append(seconds / ran / SEARCH_SHARE / made(network))
    rate = min(rates, default=SECONDS_PER_VALUE)  # others had to wait for what else was running
    candidates.most_made = seconds_in_full / EPOCHS_IN_FULL / rate
    _note_good(candidates, config, oracle)


def _note_good(candidates: Candidates, config: TrainConfig, oracle: Any) -> None:
    kind, least = candidates.limits.minimize, candidates.limits.accuracy
    if kind is None or least is None:
        return
    for trial in oracle.trials.values():
        epochs = trial.hyperparameters.values.get("tuner/epochs", config.search_epochs)
        if trial.score is None or expected(trial.score, epochs) < least + SPARE:
            continue
        costs = candidates.weigh(trial.hyperparameters)
        if candidates.good is None or costs[kind] < candidates.good[kind]:
            candidates.good = costs


def _nothing_fits(candidates: Candidates, refused: str) -> str:
    """Returns what to say where no network that was weighed fits."""
    if candidates.closest is None:
        return (
            "got no network that can be exported"
            f"{f': {refused}' if refused else ' in the time given'}; "
            "expected one at least; raise --budget, or choose another --for"
        )
    _, costs, values = candidates.closest
    limits = candidates.limits
    beyond = [
        f"{kind} {amount(kind, costs[kind])}, {amount(kind, costs[kind] - limits.most[kind])} more "
        f"than {amount(kind, limits.most[kind])}"
        for kind, used in limits.used(costs).items()
        if used > 1
    ]
    return (
        f"nothing fits of {len(candidates.weighed)} networks; the closest takes at least "
        f"{' and '.join(beyond)} ({told(values)}); allow more"
    )
