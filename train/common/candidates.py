"""The networks that a search for limits weighed, as `model.json` or `search.json` records them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from train.common.files.artifact import read_json
from train.common.files.decode import Between, Decoder
from train.common.record import RECORD_FILE, REMEDY, SCHEMA_VERSION

SEARCH_FILE = "search.json"  # beside a model of the user's own networks
Share = Annotated[float, Between(0, 1)]
Cost = Annotated[float, Between(0, 1e15)]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network that was fitted.

    Attributes:
        costs: what it costs, by the kind of cost.
        validation_accuracy: on held-out images, 0…1.
        epochs: of its fit.
    """

    costs: Mapping[str, Cost]
    validation_accuracy: Share
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """All networks of a search for limits.

    Attributes:
        axis: the cost that they are told by: `flash`, `ram`, `latency`, `multiplications`.
        most: its limit; None where it was to be small.
        least: the limit of accuracy, 0…1; None for none.
        trials: fitted for a few epochs.
        in_full: fitted in full, the answer first.
        not_trained: the costs, at least, of those that were only weighed.
    """

    axis: str
    most: float | None
    least: float | None
    trials: tuple[Candidate, ...]
    in_full: tuple[Candidate, ...]
    not_trained: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Limits:
    most: Mapping[str, Cost]
    accuracy: Share | None


@dataclass(frozen=True, kw_only=True)
class _Request:
    limits: _Limits


@dataclass(frozen=True, kw_only=True)
class _Search:
    axis: str
    request: _Request
    trials: tuple[Candidate, ...]
    in_full: tuple[Candidate, ...]
    not_trained: tuple[Cost | None, ...]


def read_candidates(artifacts: Path) -> Candidates | None:
    """Returns the networks that were searched for the model in a folder; None without a search.

    Raises:
        ArtifactError: the record is unreadable.
    """
    for name in (RECORD_FILE, SEARCH_FILE):
        path = artifacts / name
        if not path.exists():
            continue
        content: Any = read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
        if content.get("limits") is None:
            continue
        found = Decoder(remedy=REMEDY).decode(_Search, content["limits"], f"{path}: limits")
        return Candidates(
            axis=found.axis,
            most=found.request.limits.most.get(found.axis),
            least=found.request.limits.accuracy,
            trials=found.trials,
            in_full=found.in_full,
            not_trained=tuple(cost for cost in found.not_trained if cost is not None),
        )
    return None
