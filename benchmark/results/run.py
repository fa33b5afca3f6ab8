"""A `benchmark.json` as dataclasses, for `--compare`, `--merge` and every report.

The fields are the keys of the file; SCHEMA.md says what each means and when it is null. Those with
a default are absent in files of earlier versions.
"""

from dataclasses import dataclass, field

from benchmark.judge.limits import Limits
from benchmark.judge.scoring.metrics import Measure
from benchmark.measure.conditions import Browser, Conditions
from benchmark.results.row import Classes, NpuEstimate, Row
from train.common.candidates import Candidates
from train.common.environment import Environment
from train.common.record import Training

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Settings(Limits):
    """What the run was asked to do, its limits among it."""

    metric: str | None
    threshold: float
    threads: tuple[int, ...]
    modes: tuple[str, ...]
    samples: int
    rounds: int
    launches: int
    max_seconds: float
    batch: int | None
    profile: bool


@dataclass(frozen=True, kw_only=True)
class Source:
    """The Keras model."""

    sha256: str
    accuracy: float | None
    predicted: Classes | None
    file: str | None = None
    training: Training | None = None
    candidates: Candidates | None = None


@dataclass(frozen=True, kw_only=True)
class Data:
    """The test data."""

    sha256: str
    classes: tuple[str, ...]
    labels: Classes | None
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """The export to take."""

    name: str
    objective: str
    reason: str
    runner_up: str | None = None
    pareto: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A results file; `path` is where it was read."""

    path: str
    created: str
    environment: Environment
    versions: dict[str, str]
    settings: Settings
    conditions: Conditions | None
    call_overhead_us: dict[str, float | None] = field(default_factory=dict)
    recommendation: Recommended | None
    browser: Browser | None = None
    browser_recommendation: Recommended | None = None
    explanations: tuple[str, ...] = ()
    npu: tuple[NpuEstimate, ...] = ()
    measure: Measure
    source: Source
    data: Data
    results: tuple[Row, ...]

    @property
    def recommendations(self) -> tuple[Recommended, ...]:
        """The export to take on this machine, and in the browser, where there are such."""
        found = (self.recommendation, self.browser_recommendation)
        return tuple(each for each in found if each is not None)

    @property
    def rows(self) -> dict[str, Row]:
        """The rows by name, in the order of the table."""
        return {row.name: row for row in self.results}

    @property
    def total(self) -> int:
        """How many test examples there were; earlier files have the Keras model's class of each."""
        if self.data.total is None:
            return 0 if self.source.predicted is None else self.source.predicted.size
        return self.data.total
