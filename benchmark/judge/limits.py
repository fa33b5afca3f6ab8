"""The limits that an export must keep, as a user sets them."""

from dataclasses import dataclass, replace
from typing import Self

from benchmark.judge.task import Task
from train.common.errors import DataError, ToolkitError

MIN_SNR_DB = 15.0
# By the name of the field, as the command takes them.
OPTIONS = {
    "max_size_kb": "--max-size-kb",
    "max_drop": "--max-drop",
    "max_latency_us": "--max-latency-us",
    "min_agreement": "--min-agreement",
    "max_drop_per_class": "--max-drop-per-class",
}
ON_LABELS = ("max_drop", "min_agreement", "max_drop_per_class")
ON_CLASSES = ("min_agreement", "max_drop_per_class")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits; None for those that are not set.

    Attributes:
        baseline: accuracy to compare with, 0…1; None where none is known.
        tolerance: accuracy that may be lost against the baseline and the Keras model, 0…1; of
            another metric, what may be lost against the Keras model, as `drop.Drop` has it.
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
    def allowed_drop(self) -> float:
        """What may be lost against the Keras model."""
        return self.tolerance if self.max_drop is None else self.max_drop

    def given(self) -> dict[str, float]:
        """Returns the limits that were set by an option of their own, by the field's name."""
        return {name: value for name in OPTIONS if (value := getattr(self, name)) is not None}

    def checked(self, main: Task, default_baseline: float | None, *, emulated: bool) -> Self:
        """Returns the limits with a baseline, after refusing what cannot be judged here.

        Args:
            main: the task of the main output.
            default_baseline: the baseline where none was given and accuracy is judged.
            emulated: whether this machine is.

        Raises:
            DataError: only labels can judge a limit, and the data has none.
            ToolkitError: a limit is one of latency, and this machine is emulated; or one of
                classes, and the main output tells none; or there is a baseline, and the metric is
                another than accuracy.
        """
        given = self.given()
        if emulated and "max_latency_us" in given:
            raise ToolkitError(
                f"got {OPTIONS['max_latency_us']} on an emulated machine, whose times are the "
                "emulator's, expected a real one; leave it out, or run it on the device"
            )
        for name in ON_LABELS:
            if name in given and main.targets is None and not _by_values(name, main):
                raise DataError(
                    f"got {OPTIONS[name]} and data without labels, expected labels to judge it by; "
                    "leave it out, or give --min-snr-db"
                )
        for name in ON_CLASSES:
            if name in given and not main.has_classes and not _by_values(name, main):
                raise ToolkitError(
                    f"got {OPTIONS[name]} for output {main.name!r}, which tells no classes, "
                    "expected --max-drop; leave it out"
                )
        if main.kind == "outputs" or main.metric == "accuracy":
            return self if self.baseline is not None else replace(self, baseline=default_baseline)
        if self.baseline is None:
            return self
        raise ToolkitError(
            f"got --baseline and --metric {main.metric}, expected accuracy, which it is one of; "
            "leave it out, or give --max-drop against the Keras model"
        )


def _by_values(limit: str, main: Task) -> bool:
    """Whether a limit is one of agreement, and the output has values that are the same or not."""
    return limit == "min_agreement" and main.exact
