"""What a verdict rests on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.judge.scoring.scores import Scores
from export.formats.table import Limits as FormatLimits
from export.verify.distance import Distance

Verdict = Literal["pass", "fail", "inconclusive", "error"]
Reason = tuple[Verdict, str]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that an export is judged by.

    Attributes:
        name: what it is called in every run, such as `drop` or `size`.
        verdict: on it alone.
        reasons: why it does not pass, a sentence each.
    """

    name: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return {"name": self.name, "verdict": self.verdict, "reasons": list(self.reasons)}


def check(name: str, against: Iterable[Reason]) -> Check:
    """Returns a check by what speaks against an export; nothing is a pass."""
    found = list(against)
    verdict = worst(verdict for verdict, _ in found)
    return Check(name=name, verdict=verdict, reasons=tuple(text for _, text in found))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Returns the worst of some verdicts; of none, `pass`."""
    order: tuple[Verdict, ...] = ("error", "fail", "inconclusive", "pass")
    found = {*verdicts, "pass"}
    return next(verdict for verdict in order if verdict in found)


def reasons_of(checks: Iterable[Check]) -> Iterator[str]:
    """Yields the reasons of all checks."""
    for each in checks:
        yield from each.reasons


@dataclass(frozen=True, kw_only=True)
class OutputEvidence:
    """What the verdict on an output rests on.

    Attributes:
        scores: by targets beside the Keras model; without targets, against its outputs.
        distance: from the Keras model's outputs.
        loudest_share: how much of that distance's noise one example has, 0…1.
        verified: `agreement` (0…1) and `snr_db` when the file was verified, where recorded.
        baseline: accuracy to compare with, 0…1; None not to.
        class_names: the names of the classes.
        symptoms: what looks wrong in inputs or outputs, each enough to fail.
        examples: what the test data is made of, `images` or `examples`.
        same_distribution: as of the test data's `Evaluation`.
        limits: what verification demands of the format; None where its name is in no table.
        least_agreement: more than which chance would do, 0…1; None where that says nothing.
        own_rounding_db: as of `ReferenceOutputs`; None where it is not known.
        exact: whether its values are indices or classes, which are the same or another.
        lost: which channels the export has lost, in words; none where it is empty.
    """

    scores: Scores
    distance: Distance
    loudest_share: float = 0.0
    verified: Mapping[str, float] = field(default_factory=dict)
    baseline: float | None = None
    class_names: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    examples: str = "images"
    same_distribution: bool = True
    limits: FormatLimits | None = None
    least_agreement: float | None = None
    own_rounding_db: float | None = None
    exact: bool = False
    lost: str = ""
