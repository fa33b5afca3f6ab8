"""Limits and what a verdict is founded on: does an export keep what it must? Light.

A limit on an accuracy, or on another metric, is judged by a 95 % interval: kept when the whole
interval keeps it, broken when the whole interval breaks it, and otherwise open: the examples at
hand cannot tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmark.judge.scores import Scores
from export.verify.distance import Distance

Verdict = Literal["pass", "fail", "inconclusive", "error"]
Reason = tuple[Verdict, str]
MIN_SNR_DB = 15.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits; None for those that are not set.

    Attributes:
        baseline: accuracy to compare with, 0…1; of a model that none is known of, None.
        tolerance: accuracy that may be lost against the baseline and the Keras model, 0…1; of
            another metric, what may be lost against the Keras model, as `drops.Drop` has it.
        max_drop: what may be lost against the Keras model, in place of the tolerance.
        max_drop_per_class: accuracy that may be lost in any class, 0…1.
        min_agreement: least share of examples with the Keras model's prediction, 0…1.
        max_latency_us: largest median of a single inference, in microseconds.
        max_size_kb: largest file, in units of 1000 bytes.
        min_snr_db: least signal-to-noise ratio against the Keras model's outputs, in decibels,
            for outputs without targets.
    """

    baseline: float | None
    tolerance: float
    max_drop: float | None = None
    max_drop_per_class: float | None = None
    min_agreement: float | None = None
    max_latency_us: float | None = None
    max_size_kb: float | None = None
    min_snr_db: float = MIN_SNR_DB

    @property
    def most(self) -> float:
        """What may be lost against the Keras model."""
        return self.tolerance if self.max_drop is None else self.max_drop


@dataclass(frozen=True, kw_only=True)
class OutputEvidence:
    """What the verdict on an output is founded on.

    Attributes:
        scores: by targets beside the Keras model; without targets, against its outputs.
        distance: from the Keras model's outputs.
        verified: `agreement` (0…1) and `snr_db` when the file was verified, where recorded.
        baseline: accuracy to compare with, 0…1; None not to.
        class_names: the names of the classes.
        symptoms: what looks wrong in inputs or outputs, each enough to fail.
        examples: what the test data is made of, `images` or `examples`.
        same_distribution: as of the test data's `Evaluation`.
    """

    scores: Scores
    distance: Distance
    verified: Mapping[str, float] = field(default_factory=dict)
    baseline: float | None = None
    class_names: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    examples: str = "images"
    same_distribution: bool = True


@dataclass(frozen=True, kw_only=True)
class FileEvidence:
    """What else the verdict on an export is founded on.

    Attributes:
        size_bytes: of the file; None if it has none.
        p50_us: the median latency and its 95 % interval; None where it was not measured.
    """

    size_bytes: int | None
    p50_us: tuple[float, float | None, float | None] | None


def judge_file(found: FileEvidence, limits: Limits) -> Iterator[Reason]:
    """Yields what speaks against a file, whatever its outputs."""
    limit = limits.max_latency_us
    if limit is not None and found.p50_us is not None:
        p50, low, high = found.p50_us
        if low is not None and low > limit:
            yield "fail", f"median latency {p50:.1f} µs is above {limit:g} µs"
        elif high is None or high > limit:
            yield (
                "inconclusive",
                f"median latency {p50:.1f} µs, limit {limit:g} µs: the timed calls cannot tell; "
                "give more --samples",
            )
    size_bytes = found.size_bytes or 0
    if limits.max_size_kb is not None and size_bytes > limits.max_size_kb * 1000:
        yield "fail", f"file of {size_bytes / 1000:,.1f} kB is above {limits.max_size_kb:g} kB"


def verdict_of(reasons: list[Reason]) -> Verdict:
    """Returns `pass` for no reasons, `fail` for one that is enough to fail."""
    if not reasons:
        return "pass"
    return "fail" if any(kind == "fail" for kind, _ in reasons) else "inconclusive"
