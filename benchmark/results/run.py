"""A `benchmark.json` as dataclasses, for `--compare`, `--merge` and every report.

The fields are the keys of the file; SCHEMA.md says what each means and when it is null. Those with
a default are absent in files of earlier versions.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from benchmark.judge.evidence import Check, Verdict
from benchmark.judge.limits import Limits
from benchmark.judge.scoring.metrics import Measure, Metric, TaskKind
from benchmark.measure.conditions import Browser, Conditions
from benchmark.measure.latency import Latency
from export.deploy.ethos_u.vela import Left
from export.layer_report import LayerReport
from export.verify.distance import MAX_SNR_DB
from train.common.candidates import Candidates
from train.common.environment import Environment
from train.common.files.decode import Array
from train.common.record import Training

SCHEMA_VERSION = 1
Interval = tuple[float, float]
Classes = Annotated[np.ndarray, Array("int32", (int,), 0, 2**31 - 1, "a list of classes")]
Durations = Annotated[
    np.ndarray, Array("float64", (int, float), math.ulp(0.0), 1e15, "a list of numbers above 0")
]
Flags = Annotated[np.ndarray, Array("bool", (bool,), 0, 1, "a list of true and false")]


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
class Counts:
    """One class of a row."""

    total: int
    correct: int
    lost: int
    gained: int
    drop: float
    drop_ci95: Interval | None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """An output by the metric that judges it."""

    task: TaskKind
    metric: Metric
    value: float | None
    source_value: float | None
    drop: float | None
    drop_ci95: Interval | None


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far outputs are from the Keras model's."""

    agreement: float | None
    snr_db: float
    variation_db: float | None = None


@dataclass(frozen=True, kw_only=True)
class OtherOutput:
    """One of the model's other outputs."""

    verdict: Verdict
    scores: Scores


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Examples per second, or the error that left none."""

    batch: int = 0
    images_per_second: float = 0.0
    calls: str = ""
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Operator:
    """The time of an operator by the runtime's profiler."""

    name: str
    source: str
    mean_us: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The time of every operator, or the error that left none."""

    operators: tuple[Operator, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table; what was not measured is None."""

    name: str
    format: str
    runtime: str | None
    mode: str | None
    threads: int
    browser: str | None = None
    added: bool = False
    size_bytes: int | None
    gzip_bytes: int | None
    verdict: Verdict
    reasons: tuple[str, ...]
    explanations: tuple[str, ...]
    correct: int | None
    total: int | None
    lost: int | None
    gained: int | None
    accuracy: float | None
    accuracy_ci95: Interval | None
    drop_vs_source: float | None
    drop_ci95: Interval | None
    delta_vs_baseline: float | None
    mcnemar_p: float | None
    ece: float | None
    source_ece: float | None
    worst_class_drop: float | None
    classes: dict[str, Counts] | None
    distance: Distance | None
    scores: Scores | None = None
    outputs: dict[str, OtherOutput] = field(default_factory=dict)
    latency_us: Latency | None
    start_to_first_result_ms: float | None
    load_ms: float | None
    first_inference_us: float | None
    peak_rss_bytes: float | None
    peak_rss_over_empty_bytes: float | None
    call: str | None
    throughput: Throughput | None
    profile: Profile | None
    predicted: Classes | None
    rounds_ns: tuple[Durations, ...]
    rounds_quiet: Flags
    layers: LayerReport | None = None
    checks: tuple[Check, ...] = ()
    file: str | None = None
    sha256: str | None = None

    @property
    def p50_us(self) -> float | None:
        """The median latency."""
        return self.latency_us.p50 if self.latency_us else None

    @property
    def p99_us(self) -> float | None:
        """The 99th percentile of the latency."""
        return self.latency_us.p99 if self.latency_us else None

    @property
    def unstable(self) -> bool:
        """Whether the latency differs from round to round."""
        return self.latency_us is not None and self.latency_us.unstable

    @property
    def agreement(self) -> float | None:
        """Share of the examples in the Keras model's class."""
        return self.distance.agreement if self.distance else None

    @property
    def snr_db(self) -> float | None:
        """Signal-to-noise ratio against the Keras model's outputs."""
        return self.distance.snr_db if self.distance else None

    @property
    def centred_snr_db(self) -> float | None:
        """The same of what varies from example to example; None where nothing does."""
        found = self.distance.variation_db if self.distance else None
        return None if found is None or found <= -MAX_SNR_DB else found

    @property
    def value(self) -> float | None:
        """Of the metric that judges it; earlier files know the accuracy only."""
        return self.scores.value if self.scores else self.accuracy

    @property
    def loss(self) -> float | None:
        """What is lost of that metric against the Keras model."""
        return self.scores.drop if self.scores else self.drop_vs_source

    @property
    def loss_ci95(self) -> Interval | None:
        """The 95 % interval of the loss."""
        return self.scores.drop_ci95 if self.scores else self.drop_ci95


@dataclass(frozen=True, kw_only=True)
class NpuEstimate:
    """What a compiler estimates of a format on an NPU, or the problem that left nothing.

    It was not run, and is no row: nothing is compared with it.
    """

    name: str
    format: str | None = None
    npu: str | None = None
    by: str | None = None
    system_config: str | None = None
    memory_mode: str | None = None
    inference_us: float | None = None
    sram_bytes: int | None = None
    flash_bytes: int | None = None
    dram_bytes: int | None = None
    on_cpu: tuple[Left, ...] = ()
    problem: str | None = None


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
