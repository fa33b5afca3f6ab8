"""Is a mixture within the limits, by the interval of what it loses on held-out examples?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from export.formats.table import Format
from export.layer_report import MIN_AGREEMENT, Attempt
from export.manifest import Check
from export.verify.distance import classes_in
from export.verify.expectation import Expectation
from export.verify.outputs import check_channels, check_distance
from train.common.intervals import normal_quantile, paired_drop_interval

MIN_SNR_DB = 30.0  # of an output without labels
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a mixture is held to: accuracy lost, 0…1, and centred SNR where there are no labels."""

    max_drop: float
    min_snr_db: float = MIN_SNR_DB


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was found of a mixture's outputs.

    Attributes:
        accuracy_drop, drop_high: of the output that may lose most; None without labels.
        snr_db: the lowest centred SNR of an output without labels; None if all have some.
        agreement: the lowest share of classes that are Keras's, 0…1, of an output without labels;
            None where none of them is classes.
        unlike: the checks that the file fails besides, or why it cannot be made; empty if none.
        within: whether all limits are kept.
    """

    accuracy_drop: float | None
    drop_high: float | None
    snr_db: float | None
    agreement: float | None = None
    unlike: str
    within: bool

    @property
    def agrees(self) -> bool:
        """Whether about all examples without labels stay in their classes."""
        return self.agreement is None or self.agreement >= MIN_AGREEMENT

    def attempt(self, in_float: int) -> Attempt:
        """Returns what a manifest records of it."""
        return Attempt(
            in_float=in_float,
            accuracy_drop=self.accuracy_drop,
            drop_high=self.drop_high,
            snr_db=self.snr_db,
            agreement=self.agreement,
            passed=self.within,
        )

    @property
    def text(self) -> str:
        """What was found, for a person."""
        said = []
        if self.accuracy_drop is not None and self.drop_high is not None:
            said.append(
                f"an accuracy drop of {100 * self.accuracy_drop:.2f} points, at most "
                f"{100 * self.drop_high:.2f} by its 95 % interval"
            )
        if self.snr_db is not None:
            said.append(f"a centred SNR of {self.snr_db:.1f} dB")
        if self.agreement is not None:
            said.append(f"{self.agreement:.0%} of the examples in Keras's class")
        return " and ".join(said) + (
            f", and it is refused for {self.unlike}" if self.unlike else ""
        )


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges outputs on the held-out examples.

    Attributes:
        entry: the format, whose own limits hold too.
        expected: the examples, and what the Keras model gives.
        limits: what was asked for.
        noise: how much more error the file may have by its depth.
    """

    entry: Format
    expected: Expectation
    limits: Limits
    noise: float = field(default=1.0)

    def judge(self, outputs: Mapping[str, np.ndarray]) -> Judgement:
        """Returns what is to be said of outputs, (N, …) by name."""
        expected, drops, ratios, shares, failed = self.expected, [], [], [], []
        for name, found in expected.distances(outputs).items():
            findings = check_distance(name, found, self.entry, expected, self.noise)
            if not expected.is_exact(name):
                findings.append(check_channels(name, outputs[name], expected))
            failed += [each for each in findings if isinstance(each, Check) and not each.passed]
            if name in expected.labels:
                drops.append(self._drop(name, outputs[name]))
            elif not found.is_constant and not expected.is_exact(name):
                ratios.append(found.centred_snr_db)
                shares += [] if found.agreement is None else [found.agreement]
        drop, high = max(drops, key=lambda pair: pair[1], default=(None, None))
        snr_db = min(ratios, default=None)
        within = not failed
        within &= high is None or high <= self.limits.max_drop
        within &= snr_db is None or snr_db >= self.limits.min_snr_db
        return Judgement(
            accuracy_drop=drop,
            drop_high=high,
            snr_db=snr_db,
            agreement=min(shares, default=None),
            unlike=", ".join(check.name for check in failed),
            within=within,
        )

    def _drop(self, name: str, outputs: np.ndarray) -> tuple[float, float]:
        exact, labels = self.expected.is_exact(name), self.expected.labels[name]
        before, after = (
            classes_in(found, exact=exact) == labels
            for found in (self.expected.outputs[name], outputs)
        )
        lost, gained = int(np.sum(before & ~after)), int(np.sum(after & ~before))
        interval = paired_drop_interval(lost, gained, len(labels), CONFIDENCE) or (-1.0, 1.0)
        return (lost - gained) / len(labels), interval[1]


def examples_needed(max_drop: float) -> int:
    """Returns how many examples could show that a file that loses none keeps a limit.

    Tango's interval of no change in n examples ends at z² / (n + z²).
    """
    z_squared = normal_quantile(CONFIDENCE) ** 2
    return int(np.ceil(z_squared * (1 - max_drop) / max_drop)) if max_drop > 0 else -1
