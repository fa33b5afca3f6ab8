"""What examples say of each operator of an integer file: ranges, errors, channels."""

import math
from dataclasses import dataclass, field

import numpy as np

from export.convert.mixed.probes.operators import Operator, Probe, Range

MAX_SNR_DB = 999.0  # stands for no error at all
TINY = float(np.finfo(np.float32).tiny)


@dataclass(kw_only=True)
class Figures:
    """Sums over the examples of one operator's output.

    Attributes:
        numbers, examples: how many values, and how many examples they are of.
        low, high: the extremes of the float model's values.
        total, power: their sum and the sum of their squares.
        own_noise, noise: the sums of squared errors, of the operator alone and of the file.
        compared: how many values the file's own were compared at.
        clipped, saturated: how many values lie outside the range; how many of the file's at its
            ends.
        lows, highs: the extremes of each channel in the float model, (channels,).
        file_lows, file_highs: the same in the file.
    """

    numbers: int = 0
    examples: int = 0
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0
    power: float = 0.0
    own_noise: float | None = None
    noise: float | None = None
    compared: int = 0
    clipped: int = 0
    saturated: int = 0
    lows: np.ndarray = field(default_factory=lambda: np.empty(0))
    highs: np.ndarray = field(default_factory=lambda: np.empty(0))
    file_lows: np.ndarray = field(default_factory=lambda: np.empty(0))
    file_highs: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def deviation(self) -> float:
        """The standard deviation of the float model's values."""
        mean = self.total / max(1, self.numbers)
        return math.sqrt(max(0.0, self.power / max(1, self.numbers) - mean**2))

    @property
    def spans(self) -> np.ndarray:
        """How far each channel's values in the float model are apart, (channels,)."""
        spans: np.ndarray = self.highs - self.lows
        return spans

    @property
    def dead_channels(self) -> np.ndarray:
        """Which channels never change in the float model, (channels,) bool."""
        dead: np.ndarray = self.spans == 0
        return dead

    @property
    def lost_channels(self) -> np.ndarray:
        """Which channels change in the float model and not in the file, (channels,) bool."""
        if self.file_lows.size != self.lows.size:
            return np.zeros(self.lows.size, bool)
        lost: np.ndarray = ~self.dead_channels & (self.file_highs == self.file_lows)
        return lost

    def add_float(self, values: np.ndarray, axis: int | None, limits: Range | None) -> None:
        """Adds what the float model gives for some examples, (n, …)."""
        if not values.size:
            return
        self.examples += 1
        self.numbers += values.size
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self.total += float(values.sum(dtype=np.float64))
        self.power += float(np.square(values, dtype=np.float64).sum())
        if limits is not None:
            outside = (values < limits.low - limits.step / 2) | (
                values > limits.high + limits.step / 2
            )
            self.clipped += int(outside.sum())
        if axis is not None:
            low, high = _by_channel(values, axis)
            self.lows = np.minimum(self.lows, low) if self.lows.size else low
            self.highs = np.maximum(self.highs, high) if self.highs.size else high

    def add_own_error(self, made: np.ndarray, exact: np.ndarray) -> None:
        """Adds what the operator makes of exact inputs, beside what it should."""
        error = float(np.square(made - exact, dtype=np.float64).sum())
        self.own_noise = error + (self.own_noise or 0.0)

    def add_file(
        self, values: np.ndarray, exact: np.ndarray, axis: int | None, limits: Range | None
    ) -> None:
        """Adds what the file itself gives, beside what the float model does."""
        error = float(np.square(values - exact, dtype=np.float64).sum())
        self.noise = error + (self.noise or 0.0)
        self.compared += values.size
        if limits is not None:
            half = limits.step / 2
            at_end = values > limits.high - half
            if limits.low < -half:
                at_end |= values < limits.low + half
            self.saturated += int(at_end.sum())
        if axis is not None and values.size:
            low, high = _by_channel(values, axis)
            self.file_lows = np.minimum(self.file_lows, low) if self.file_lows.size else low
            self.file_highs = np.maximum(self.file_highs, high) if self.file_highs.size else high

    def decibels(self, noise: float | None) -> float | None:
        """Returns the float model's power over that of an error; None where that is unknown."""
        if noise is None or not math.isfinite(noise) or not math.isfinite(self.power):
            return None
        if noise == 0:
            return MAX_SNR_DB
        return max(-MAX_SNR_DB, 10 * math.log10(max(self.power, TINY) / noise))


def figures_of(probe: Probe) -> dict[str, Figures]:
    """Returns the figures of each operator, by the name of its output, and of what it reads."""
    by_output = {operator.output: operator for operator in probe.operators}
    found: dict[str, Figures] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for (exact, made), own in zip(probe.exact, probe.own, strict=True):
            for name, values in exact.items():
                limits, axis = probe.ranges.get(name), _axis(by_output.get(name), values)
                of = found.setdefault(name, Figures())
                of.add_float(values, axis, limits)
                if name in made and name in by_output:
                    of.add_own_error(made[name], values)
                if name in own and own[name].shape == values.shape:
                    of.add_file(own[name], values, axis, limits)
    return found


def _axis(operator: Operator | None, values: np.ndarray) -> int | None:
    axis = None if operator is None else operator.channel_axis
    return axis if axis is not None and axis < values.ndim else None


def _by_channel(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    others = tuple(i for i in range(values.ndim) if i != axis)
    return values.min(axis=others), values.max(axis=others)


def weight_spread(weights: np.ndarray | None) -> float | None:
    """Returns the largest channel's weights over the smallest's, ≥ 1; channels of zeros apart."""
    if weights is None or not weights.size:
        return None
    highest = np.abs(weights).max(axis=1)
    highest = highest[highest > 0]
    return float(highest.max() / highest.min()) if highest.size else None
