"""A row of a `benchmark.json` as dataclasses; see `run`."""

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from benchmark.judge.evidence import Check, Verdict
from benchmark.judge.scoring.metrics import Metric, TaskKind
from benchmark.measure.latency import Latency
from export.deploy.ethos_u.vela import Left
from export.layer_report import LayerReport
from export.verify.distance import MAX_SNR_DB
from train.common.files.decode import Array

Interval = tuple[float, float]
Classes = Annotated[np.ndarray, Array("int32", (int,), 0, 2**31 - 1, "a list of classes")]
Durations = Annotated[
    np.ndarray, Array("float64", (int, float), math.ulp(0.0), 1e15, "a list of numbers above 0")
]
Flags = Annotated[np.ndarray, Array("bool", (bool,), 0, 1, "a list of true and false")]


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
