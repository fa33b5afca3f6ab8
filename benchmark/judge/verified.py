"""Does an export do as when it was verified, and more than an answer that never changes?"""

import math
from collections.abc import Iterator

import numpy as np

from benchmark.judge.evidence import OutputEvidence, Reason
from benchmark.judge.limits import Limits
from benchmark.judge.statistics import ROUNDING
from export.verify.allowed import ROUNDING_DB
from export.verify.distance import CHUNK_EXAMPLES
from export.verify.floors import MIN_CENTRED_SNR_DB

# How much worse an export may do on the test data than when it was verified: the share of other
# predictions by half and half a point, the signal-to-noise ratio by 3 dB. Honest exports stay well
# within; another model's weights or another preprocessing don't.
RECORDED_FLIPS_FACTOR = 1.5
RECORDED_FLIPS_SLACK = 0.005
RECORDED_SNR_SLACK_DB = 3.0
# Test data that is not drawn as the data was that verified an export may hold an example whose
# outputs lie beyond all that calibrated it. So a ratio has to be much less than then, and small.
OTHER_DATA_SNR_SLACK_DB = 10.0
# Outputs nearer than this differ by the rounding of float32, which is another on other data.
ROUNDING_SNR_DB = 100.0
# One example in so many may lie where none did on which the file was verified: at 52 dB, one of
# 10,000 was three fifths of all noise. Other weights or another preprocessing are seen in the rest.
FOR_EACH_ODD_ONE = 100
SILENCE = 1e-12  # what is left of the noise, where one example has all of it
# Of the deepest networks that verification knows, against those that the formats' limits are for.
DEEPEST_NOISE = 16.0
# On other data than calibrated it, one example may lie so far out that it is most of the noise.
OTHER_DATA_CENTRED_SNR_DB = 3.0


def as_verified(found: OutputEvidence, limits: Limits) -> Iterator[Reason]:
    """Yields how the outputs are further from the Keras model's than when the file was verified.

    What was not recorded, or is worse than what any file of the format is written with, is taken
    to be as bad as that.
    """
    now, then = found.distance, found.verified
    agreement, snr_db = then.get("agreement"), then.get("snr_db")
    if found.limits is not None:
        least_db = found.limits.snr_db - 10 * math.log10(DEEPEST_NOISE)
        if found.own_rounding_db is not None:  # no file is nearer than the model is to itself
            least_db = min(least_db, found.own_rounding_db - ROUNDING_DB)
        snr_db = least_db if snr_db is None else max(snr_db, least_db)
        if found.scores.accuracy is not None or found.exact:
            least = 1 - (1 - found.limits.agreement) * math.sqrt(DEEPEST_NOISE)
            agreement = max(least, agreement or 0)
    if not found.same_distribution:
        agreement = None
    preprocessing = "preprocessing or input quantization than then"
    if agreement is not None and now.agreement is not None:
        flips = (1 - agreement) * RECORDED_FLIPS_FACTOR + RECORDED_FLIPS_SLACK
        if 1 - now.agreement > flips + ROUNDING:
            yield (
                "fail",
                f"agrees with the Keras model on {now.agreement:.2%} of the {found.examples}, on "
                f"{agreement:.2%} {_when(agreement, then.get('agreement'))}: other weights, "
                f"labels, {preprocessing}",
            )
    if snr_db is None or found.exact:
        return
    least_db = min(snr_db, ROUNDING_SNR_DB) - RECORDED_SNR_SLACK_DB
    if not found.same_distribution:
        least_db = min(snr_db - OTHER_DATA_SNR_SLACK_DB, limits.min_snr_db)
    if now.snr_db - 10 * math.log10(max(1 - found.loudest_share, SILENCE)) < least_db:
        yield (
            "fail",
            f"outputs differ from the Keras model's by {now.snr_db:.1f} dB of signal to noise, by "
            f"{snr_db:.1f} dB {_when(snr_db, then.get('snr_db'))}: other weights, {preprocessing}",
        )


def loudest_share(outputs: np.ndarray, reference: np.ndarray) -> float:
    """Returns how much of the noise one example has, 0…1; 0 of too few to leave one out.

    Args:
        outputs: (N, …) of an export; what is not finite counts as zero.
        reference: the same of the Keras model.
    """
    count = len(reference)
    if count < FOR_EACH_ODD_ONE:
        return 0.0
    total = loudest = 0.0
    for start in range(0, count, CHUNK_EXAMPLES):
        part, wanted = (
            np.nan_to_num(each[start : start + CHUNK_EXAMPLES], posinf=0, neginf=0).astype(float)
            for each in (outputs, reference)
        )
        noise = ((part - wanted) ** 2).reshape(len(part), -1).sum(axis=1)
        total, loudest = total + float(noise.sum()), max(loudest, float(noise.max()))
    return loudest / total if total else 0.0


def more_than_chance(found: OutputEvidence) -> Iterator[Reason]:
    """Yields that an answer is no better than one that never changes, whatever was recorded."""
    now, agreement = found.distance, found.distance.agreement
    least = MIN_CENTRED_SNR_DB if found.same_distribution else OTHER_DATA_CENTRED_SNR_DB
    if not found.exact and not now.is_constant and now.centred_snr_db < least:
        yield (
            "fail",
            "centred signal-to-noise ratio against the Keras model's outputs is "
            f"{now.centred_snr_db:.1f} dB, below {least:g} dB; an answer that never changes has 0",
        )
    chance = found.least_agreement
    if chance is not None and agreement is not None and agreement < chance:
        yield (
            "fail",
            f"agrees with the Keras model on {agreement:.2%} of the {found.examples}, expected "
            f"more than chance, {chance:.2%}",
        )


def _when(value: float, recorded: float | None) -> str:
    return "when it was verified" if value == recorded else "by what its format demands"
