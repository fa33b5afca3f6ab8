"""How far an output may be from the Keras model's: by its format, by depth, by float32 itself."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from export.formats.table import Limits
from export.verify.distance import Distance
from export.verify.floors import MIN_CENTRED_SNR_DB, MIN_COSINE

# The centred SNR may be so much lower: the mean, which the plain one counts as signal, is gone.
CENTRED_SLACK_DB = 6.0
# How much further a file may be from the model than the model from itself, rounded otherwise. A
# converter that folds a factor of 30,000 into a kernel sums up at that size: 8 times was seen.
ROUNDING_FACTOR = 10
ROUNDING_DB = 20 * math.log10(ROUNDING_FACTOR)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What an output's distance is held to.

    Attributes:
        agreement: least share of examples of the same class, 0…1, less what chance explains.
        accuracy_drop: most accuracy that may be lost, 0…1, likewise.
        max_abs_error: largest difference, in the output's unit.
        snr_db, centred_snr_db: least ratios of signal to noise.
        cosine: least mean cosine similarity.
    """

    agreement: float
    accuracy_drop: float
    max_abs_error: float
    snr_db: float
    centred_snr_db: float
    cosine: float

    def wider(self, own: Iterable[Distance], least_agreement: float) -> Self:
        """Returns limits that the Keras model keeps where only its rounding is another.

        No file can be nearer to a model than the model's float32 is to itself. What is allowed is
        `ROUNDING_FACTOR` times that; an answer that never changes is refused all the same.

        Args:
            own: the distances of its outputs from those that are as right, as far as float32 can
                tell.
            least_agreement: by chance and a margin, 0…1.
        """
        found = self
        for each in own:
            flips = ROUNDING_FACTOR * each.flips
            unlike = ROUNDING_FACTOR**2 * (1 - each.cosine)
            found = type(self)(
                agreement=min(found.agreement, max(1 - flips, least_agreement)),
                accuracy_drop=max(found.accuracy_drop, flips),
                max_abs_error=max(found.max_abs_error, ROUNDING_FACTOR * each.max_abs_error),
                snr_db=_less(found.snr_db, each.snr_db),
                centred_snr_db=_less(found.centred_snr_db, each.centred_snr_db),
                cosine=min(found.cosine, max(1 - unlike, MIN_COSINE)),
            )
        return found


def allowed(
    limits: Limits, noise: float, span: float, least_agreement: float, ranks: int = 1
) -> Allowed:
    """Returns what a format and a network's depth allow.

    Args:
        limits: the format's.
        noise: how much more of it the file may have by its depth, ≥ 1.
        span: the reference's largest output less its least.
        least_agreement: by chance and a margin, 0…1.
        ranks: how many classes are told of each example, first to last; each has neighbours that
            it may change its place with.
    """
    amplitude = math.sqrt(noise)
    snr_db = max(limits.snr_db - 10 * math.log10(noise), MIN_CENTRED_SNR_DB)
    return Allowed(
        agreement=max(1 - (1 - limits.agreement) * amplitude * ranks, least_agreement),
        accuracy_drop=limits.accuracy_drop,
        max_abs_error=min(limits.max_abs_error * amplitude, 1.0) * max(1, span),
        snr_db=snr_db,
        centred_snr_db=max(snr_db - CENTRED_SLACK_DB, MIN_CENTRED_SNR_DB),
        cosine=max(1 - (1 - limits.cosine) * noise, MIN_COSINE),
    )


def _less(least_db: float, own_db: float) -> float:
    return min(least_db, max(own_db - ROUNDING_DB, MIN_CENTRED_SNR_DB))
