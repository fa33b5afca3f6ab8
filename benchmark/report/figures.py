"""How figures are written in every report; a dash where there is none."""

from collections.abc import Sequence

from benchmark.judge.scoring.metrics import MISSING
from benchmark.results.row import Interval


def number(value: float | None, digits: int, scale: float = 1) -> str:
    """Returns a figure times `scale` with so many decimals; a dash for None."""
    # adding zero makes -0.0 a plain zero
    return MISSING if value is None else f"{round(value * scale, digits) + 0:,.{digits}f}"


def interval(ends: Sequence[float | None] | None, digits: int, scale: float = 1) -> str:
    """Returns an interval's ends times `scale`; a dash for None."""
    return MISSING if ends is None else "…".join(number(end, digits, scale) for end in ends)


def estimate(share: float | None, ends: Interval | None) -> str:
    """Returns a share and half the width of its interval in percent: +0.04 ±0.09, +31.7 ±11.5."""
    if share is None or ends is None:
        return signed(share)
    half = (ends[1] - ends[0]) / 2
    return f"{signed(share)} ±{number(half, _digits(half), 100)}"


def signed(share: float | None) -> str:
    """Returns a share in percent, with its sign; a dash for None."""
    if share is None:
        return MISSING
    digits = _digits(share)
    return f"{round(share * 100, digits) + 0:+,.{digits}f}"


def _digits(share: float) -> int:
    return 2 if abs(share) < 0.09995 else 1


def microseconds(value: float | None, *, unstable: bool) -> str:
    """At most four characters, five where `~` marks it: 3.2, 94.7, 161, 1.2k, 12k."""
    if value is None:
        return MISSING
    if value >= 1_000:
        shown = f"{value / 1_000:.1f}k" if value < 9_950 else f"{value / 1_000:,.0f}k"
    else:
        shown = f"{value:.1f}" if value < (9.95 if unstable else 99.95) else f"{value:,.0f}"
    return f"~{shown}" if unstable else shown
