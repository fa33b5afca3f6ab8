"""Axes of charts: where a value lies, and which values are worth a tick."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MIN_FACTOR = 6.0  # of a logarithmic axis, so that two of its ticks are on it


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A straight axis.

    Attributes:
        low, high: the values at its ends, low < high; > 0 if it is logarithmic.
        start, end: where in the drawing these are, in its units.
        log: whether equal distances are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    def at(self, value: float) -> float:
        """Returns where a value lies, rounded to a tenth; one beyond an end lies at the end."""
        low, high, found = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, found = math.log(low), math.log(high), math.log(found)
        return round(self.start + (found - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Returns where the round values on the axis lie, and their names."""
        return [(self.at(value), _name(value)) for value in self._round_values()]

    def _round_values(self) -> list[float]:
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = (1, 2, 5) if last - first <= 4 else (1,)
            values = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        else:
            step = _round_step((self.high - self.low) / 6)
            first, last = math.ceil(self.low / step), math.floor(self.high / step)
            values = [float(f"{index * step:.10g}") for index in range(first, last + 1)]
        return [value for value in values if self.low <= value <= self.high]


def log_axis(values: Sequence[float], start: float, end: float, margin: float = 1.2) -> Axis:
    """Returns a logarithmic axis that holds values, at least one, all > 0."""
    low, high = min(values) / margin, max(values) * margin
    widen = math.sqrt(max(1.0, MIN_FACTOR / (high / low)))
    return Axis(low=low / widen, high=high * widen, start=start, end=end, log=True)


def linear_axis(low: float, high: float, start: float, end: float, least: float) -> Axis:
    """Returns a linear axis from `low` to `high`, widened to a span of at least `least`."""
    widen = max(0.0, least - (high - low)) / 2
    return Axis(low=low - widen, high=high + widen, start=start, end=end, log=False)


def _name(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.10g}{letter}"
    return f"{value:.10g}"


def _round_step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))
