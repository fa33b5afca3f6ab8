"""The checks of what a file computes, against the Keras model."""

import numpy as np

from export.formats.table import Format
from export.manifest import Check, Observation
from export.verify.allowed import Allowed, allowed
from export.verify.channels import (
    LOST_REMEDY,
    MIN_CHANNEL_SNR_DB,
    in_words,
    lost_channels,
)
from export.verify.distance import MAX_SNR_DB, Distance
from export.verify.expectation import Expectation
from export.verify.floors import least_agreement, least_equal, sampling_error

CONSTANT, OWN_ROUNDING = "constant", "own_rounding_db"  # observations
SOFTMAX_OF_ONE = ": a softmax over one value is always 1, a sigmoid is meant"


def check_distance(
    name: str, found: Distance, entry: Format, expected: Expectation, noise: float
) -> list[Check | Observation]:
    """Returns what is to be said of an output's distance to the Keras model's.

    Indices and classes are held to the share of them that are the same. Of other outputs without
    labels, agreement is only observed: the classes of a model that cannot tell its
    examples apart say little. An output that is the same for all examples is held to its values.
    What fails is judged again by how far float32 itself can tell outputs of this model apart.

    Args:
        name: the output's.
        found: the distance.
        entry: the format, which has the limits.
        expected: what the output was compared with.
        noise: how much more of it the file may have by its depth.
    """
    reference = expected.outputs[name]
    chance, ranks = 0.0, 1
    if expected.is_exact(name):
        chance, ranks = least_equal(reference), reference.shape[1] if reference.ndim == 2 else 1
    elif found.accuracy_drop is not None:
        chance = least_agreement(reference)
    limits = allowed(entry.limits, noise, found.span, chance, ranks)
    findings = _judged(name, found, expected, limits)
    if all(each.passed for each in findings if isinstance(each, Check)):
        return findings
    own = expected.own_rounding[name]
    return [
        *_judged(name, found, expected, limits.wider(own, chance)),
        *(
            Observation(name=f"{OWN_ROUNDING}{expected.suffix(name)}", value=each.snr_db)
            for each in own[:1]
        ),
    ]


def _judged(
    name: str, found: Distance, expected: Expectation, limits: Allowed
) -> list[Check | Observation]:
    suffix, count, reference = expected.suffix(name), expected.count, expected.outputs[name]
    findings: list[Check | Observation] = [
        Check.at_least(f"finite_outputs{suffix}", found.finite, 1)
    ]
    if found.is_constant:
        is_one = reference.shape[-1] == 1 and np.allclose(reference, 1, atol=1e-6)
        value = f"output {name!r} is the same for all examples{SOFTMAX_OF_ONE * is_one}"
        findings.append(Observation(name=f"{CONSTANT}{suffix}", value=value))
    is_exact = expected.is_exact(name)
    by_class = is_exact or (found.accuracy_drop is not None and not found.is_constant)
    if by_class and found.agreement is not None:
        least = limits.agreement - sampling_error(limits.agreement, count)
        findings.append(Check.at_least(f"agreement{suffix}", found.agreement, least))
        if found.accuracy_drop is not None:
            most = limits.accuracy_drop + sampling_error(found.agreement, count)
            findings.append(Check.at_most(f"accuracy_drop{suffix}", found.accuracy_drop, most))
    elif found.agreement is not None and not found.is_constant:
        findings.append(Observation(name=f"agreement{suffix}", value=found.agreement))
    if is_exact:
        return findings
    findings.append(
        Check.at_most(f"max_abs_error{suffix}", found.max_abs_error, limits.max_abs_error)
    )
    if not found.is_constant or found.snr_db > -MAX_SNR_DB:
        findings.append(Check.at_least(f"snr_db{suffix}", found.snr_db, limits.snr_db))
    if not found.is_constant:
        findings += [
            Check.at_least(f"variation_db{suffix}", found.centred_snr_db, limits.centred_snr_db),
            Check.at_least(f"cosine{suffix}", found.cosine, limits.cosine),
        ]
    return findings


def check_channels(name: str, outputs: np.ndarray, expected: Expectation) -> Check:
    """Returns the check that an output keeps each of its channels."""
    reference = expected.outputs[name]
    lost = lost_channels(outputs, reference)
    return Check(
        name=f"channels{expected.suffix(name)}",
        value=in_words(name, reference.shape, lost) if lost else "none lost",
        limit=f"{MIN_CHANNEL_SNR_DB:g} dB or more; {LOST_REMEDY}" if lost else "none lost",
        passed=not lost,
    )
