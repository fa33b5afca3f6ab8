"""By what channels between two layers are made larger, so that integers hold them in more steps.

A ReLU takes factors along. So what a layer writes in a channel can be larger by a factor, if the
next layer's weights for it are smaller by it (cross-layer equalization, Nagel et al. 2019, arXiv
1906.04721; between activations and weights, Xiao et al. 2022, arXiv 2211.10438). One scale for all
channels leaves few steps to those that are small beside an outlier. Of a concatenation, whose parts
share a scale, each part is brought to the size of the largest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

LIMITED = 0.999  # of the limit of an activation, as of a ReLU6, that a channel reaches
STEPS, WEIGHT_STEPS = 255, 127
MOST = 1e3  # that a channel is made larger by
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
WORTH_DB, LEAST_DB = 6.0, 1.0  # of the noise between two layers: to try it at all, and for a pair
NOT_WORTH = "no two layers have channels between them of so unlike sizes"


@dataclass(frozen=True, kw_only=True)
class Channels:
    """What calibration examples say of a tensor's channels, (C,) each.

    Attributes:
        lows, highs: the extremes.
        powers: the mean squares.
    """

    lows: np.ndarray
    highs: np.ndarray
    powers: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """The largest absolute values."""
        sizes: np.ndarray = np.maximum(np.abs(self.lows), np.abs(self.highs))
        return sizes

    def larger(self, factors: np.ndarray) -> "Channels":
        """Returns the same of channels that have been made larger by factors, (C,)."""
        return Channels(
            lows=self.lows * factors, highs=self.highs * factors, powers=self.powers * factors**2
        )


def channels_of(
    examples: Iterable[Mapping[str, np.ndarray]], axes: Mapping[str, int]
) -> dict[str, Channels]:
    """Returns what examples say of the channels of tensors.

    Args:
        examples: real values of tensors, by name, for some examples after the other.
        axes: of the channels, by the names of the tensors that are looked at.

    Returns:
        By name, of tensors that are finite.
    """
    lows: dict[str, np.ndarray] = {}
    highs: dict[str, np.ndarray] = {}
    powers: dict[str, np.ndarray] = {}
    count = 0
    for values in examples:
        count += 1
        for name in axes.keys() & values.keys():
            last = np.moveaxis(values[name], axes[name], -1)
            rows = last.reshape(-1, last.shape[-1])
            low, high = rows.min(axis=0), rows.max(axis=0)
            power = np.mean(np.square(rows, dtype=np.float64), axis=0)
            lows[name] = np.minimum(lows.get(name, low), low)
            highs[name] = np.maximum(highs.get(name, high), high)
            powers[name] = powers.get(name, 0) + power
    return {
        name: Channels(lows=lows[name], highs=highs[name], powers=powers[name] / count)
        for name in lows
        if np.isfinite(lows[name]).all() and np.isfinite(highs[name]).all()
    }


def factors_of(
    found: Channels,
    rows: np.ndarray,
    *,
    own_scales: bool,
    limit: float | None,
    own: slice,
) -> tuple[np.ndarray, float]:
    """Returns by what channels are made larger, (C,), and the decibels that this gains.

    Args:
        found: the channels.
        rows: (outputs, n, C), the next layer's weights for them.
        own_scales: whether these have a scale for each channel, as those of depthwise convolutions.
        limit: of the activation; channels that reach it keep their size, as do the highest.
        own: the channels that the first layer writes; others, of a concatenation, keep their size.
    """
    sizes = found.sizes.astype(np.float64)
    ones = np.ones(len(sizes))
    alive = sizes > sizes.max() / 1e6
    if not alive.any() or len(sizes) < 2:
        return ones, 0.0
    if rows.shape[-1] != len(sizes):
        return ones, 0.0
    rows = rows.astype(np.float64)

    def noise(factors: np.ndarray) -> float:
        """Of what the second layer adds up: by the steps of what it reads, and of its weights."""
        step = float((sizes * factors).max()) / STEPS
        if own_scales:
            return float(np.sum((step / factors[alive]) ** 2 * (rows**2).sum((0, 1))[alive]))
        weights = rows / factors
        steps = np.abs(weights).max(axis=(1, 2)) / WEIGHT_STEPS
        power = float(np.sum((found.powers * factors**2)[alive])) * rows.shape[1]
        read = step**2 * float(np.sum(weights[..., alive] ** 2))
        return float(read + np.sum(steps**2) * power)

    room = np.minimum(sizes.max() / np.where(alive, sizes, sizes.max()), MOST)
    room[~alive] = room.max()  # whose weights are no outliers then either
    if limit is not None:
        room[found.highs >= LIMITED * limit] = 1.0
    others = np.ones(len(room), bool)
    others[own] = False
    room[others] = 1.0
    tried = [room**power for power in POWERS]
    best = min(tried, key=noise)
    before, after = noise(ones), noise(best)
    return best, 10 * float(np.log10(before / after)) if after > 0 else 0.0
