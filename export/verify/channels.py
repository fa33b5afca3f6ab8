"""Which channels of an output a file has lost, though the output as a whole looks right.

An integer format has one scale for a whole tensor. Where one holds boxes of 0…640 beside scores of
0…1, every score becomes the same number, and neither the signal-to-noise ratio nor the largest
value of each example shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.verify.distance import float32_noise

# Less than half of a channel's variation is left. A channel that is constant has 0 dB at most.
MIN_CHANNEL_SNR_DB = 3.0
LOST_REMEDY = (
    "give each kind of value an output of its own, as export --split-outputs does where the model "
    "concatenates them last; TFLite's integer formats keep such channels with --io float32"
)
# Variation that fewer examples hold, such as those of a rare class, is judged with the whole.
MIN_EXAMPLES = 4.0
# Probabilities share one unit: what varies by less than about five steps of 8 bits may be gone.
MIN_PROBABILITY_DEVIATION = 0.02
MOST_PROBABLE = 1.001
# The features that a ReLU gives share one unit too, and some of many hardly ever exceed zero.
MANY_FEATURES, QUIET_FEATURES_SHARE = 64, 0.05
CHUNK_VALUES = 2**22  # of outputs that may be larger than memory
NAMED_CHANNELS = 4


@dataclass(frozen=True, kw_only=True)
class LostChannel:
    """A channel whose variation over the examples is lost.

    Attributes:
        axis: of the output, the examples being axis 0.
        index: the channel's on that axis.
        snr_db: its centred signal-to-noise ratio.
    """

    axis: int
    index: int
    snr_db: float


def lost_channels(outputs: np.ndarray, reference: np.ndarray) -> tuple[LostChannel, ...]:
    """Returns the channels that vary in the reference and not, or otherwise, in the outputs.

    A channel is an index of the last axis; of outputs (N, A, C), an index of the second too, as
    detectors have their boxes and scores on either. Each is judged by its centred signal-to-noise
    ratio, in its own unit.

    Args:
        outputs: (N, …) numbers; what is not finite counts as zero.
        reference: the same of the Keras model, all finite.
    """
    wanted = [axis for axis in channel_axes(reference.ndim) if reference.shape[axis] > 1]
    return tuple(found for axis in wanted for found in _lost(outputs, reference, axis))


def channel_axes(dimensions: int) -> tuple[int, ...]:
    """Returns the axes of an output whose indices are channels; the examples are axis 0."""
    axes = (1, 2) if dimensions == 3 else (dimensions - 1,)
    return tuple(axis for axis in axes if axis > 0)


def in_words(name: str, shape: Sequence[int], lost: Sequence[LostChannel]) -> str:
    """Returns which channels of an output are lost, as text.

    Args:
        name: the output's.
        shape: the output's, the examples first.
        lost: its lost channels, at least one.
    """
    axis = lost[0].axis
    some = [found for found in lost if found.axis == axis]
    numbers = ", ".join(str(found.index) for found in some[:NAMED_CHANNELS])
    if len(some) > NAMED_CHANNELS:
        numbers += f" and {len(some) - NAMED_CHANNELS} more"
    of_axis = "" if axis == len(shape) - 1 else f" of axis {axis}"
    best = max(found.snr_db for found in some)
    return (
        f"output {name!r} loses channel{'s' * (len(some) > 1)} {numbers} (of {shape[axis]}"
        f"{of_axis}, counted from 0): centred SNR {best:.1f} dB"
    )


def _lost(outputs: np.ndarray, reference: np.ndarray, axis: int) -> list[LostChannel]:
    count, channels = len(reference), reference.shape[axis]
    mean = np.asarray(np.mean(reference, axis=0, dtype=np.float64, keepdims=True))
    others = tuple(number for number in range(1, reference.ndim) if number != axis)
    noise, variation, squared = (np.zeros(channels) for _ in range(3))
    step = max(1, CHUNK_VALUES // reference[0].size)
    for start in range(0, count, step):
        part = slice(start, start + step)
        wanted = reference[part].astype(np.float64)
        found = np.where(np.isfinite(outputs[part]), outputs[part], 0).astype(np.float64)
        by_example = np.sum((wanted - mean) ** 2, axis=others)
        variation += by_example.sum(axis=0)
        squared += (by_example**2).sum(axis=0)
        noise += np.sum((found - wanted) ** 2, axis=(0, *others))
    values = reference[0].size // channels * count
    judged = variation > count * np.sum(float32_noise(mean), axis=(0, *others))
    judged &= variation**2 >= MIN_EXAMPLES * squared
    if reference.min() >= 0 and reference.max() <= MOST_PROBABLE:
        judged &= variation >= values * MIN_PROBABILITY_DEVIATION**2
    with np.errstate(divide="ignore", invalid="ignore"):
        snr_db = 10 * np.log10(variation / noise)
    lost = np.flatnonzero(judged & (snr_db < MIN_CHANNEL_SNR_DB))
    if lost.size == channels:  # the output as a whole, which its own ratio shows
        return []
    few = lost.size <= QUIET_FEATURES_SHARE * channels
    if few and channels >= MANY_FEATURES and float(reference.min()) == 0:
        return []
    return [LostChannel(axis=axis, index=int(i), snr_db=float(snr_db[i])) for i in lost]
