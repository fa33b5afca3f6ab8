"""The verdict: does an export keep the accuracy it must keep?"""

from dataclasses import dataclass
from typing import Literal

from benchmark.accuracy import Accuracy

Verdict = Literal["pass", "fail", "inconclusive", "error"]
ROUNDING = 1e-9  # a limit such as 0.886 - 0.01 is not exact in binary


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The limits, shares in 0…1: accuracy ≥ baseline − tolerance, drop ≤ tolerance."""

    baseline: float
    tolerance: float


def judge(accuracy: Accuracy, gate: Gate) -> tuple[Verdict, tuple[str, ...]]:
    """Returns the verdict on an export and, unless it passes, every reason."""
    reasons = []
    if not accuracy.finite:
        reasons.append("outputs hold NaN or infinity")
    floor = gate.baseline - gate.tolerance
    if accuracy.accuracy < floor - ROUNDING:
        reasons.append(
            f"accuracy {accuracy.accuracy:.2%} is below {floor:.2%} "
            f"(baseline {gate.baseline:.2%} less tolerance {gate.tolerance:.2%})"
        )
    if accuracy.drop_vs_source > gate.tolerance + ROUNDING:
        reasons.append(
            f"accuracy drops by {accuracy.drop_vs_source * 100:.2f} points against the Keras "
            f"model, more than {gate.tolerance * 100:.2f}"
        )
    return ("fail", tuple(reasons)) if reasons else ("pass", ())
