"""The checks of what a file computes: against the Keras model, and on other kernels."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.formats import Format
from export.manifest import Check, Observation
from export.runtimes.open import MODES, open_runner
from export.runtimes.predict import decode, encode_all
from export.runtimes.runner import Runner, Values, unpack
from export.runtimes.tflm import TFLMRunner, is_published_here
from export.settings import Settings
from export.verify.allowed import ROUNDING_FACTOR, Allowed, allowed
from export.verify.channels import (
    LOST_REMEDY,
    MIN_CHANNEL_SNR_DB,
    in_words,
    lost_channels,
)
from export.verify.distance import MAX_SNR_DB, Distance, are_classes
from export.verify.expectation import Expectation
from export.verify.floors import least_agreement, sampling_error
from train.common.errors import ArtifactError, MissingOperatorError
from train.common.tensors import TensorSpec

# How many examples are run on the other, slower runtimes, for how long, and how far those may be
# apart.
CROSS_RUNTIME_EXAMPLES = 500
CROSS_RUNTIME_SECONDS = 20.0
# Kernels round integers differently, and a deep network adds that up: an example between two
# classes may get the other one.
MAX_FLIPS = {"float32": 0.002, "float16": 0.004, "dynamic": 0.004, "int16": 0.004, "int8": 0.02}
MAX_DIFFERENCE = {"float32": 1e-4, "float16": 0.01, "dynamic": 0.1, "int16": 0.01, "int8": 0.2}
MOST_FLIPS = 0.15
MOST_DIFFERENCE = 0.6  # of the outputs' span
# Without labels, flips count where Keras's first class is ahead by this share of the span.
DECISIVE_SHARE, MIN_DECISIVE = 0.1, 20
# Nobody puts more weights into a microcontroller.
TFLM_MAX_BYTES = 4 << 20
TFLM = "tflm"
CONSTANT, OWN_ROUNDING = "constant", "own_rounding_db"  # observations
SOFTMAX_OF_ONE = ": a softmax over one value is always 1, a sigmoid is meant"
MISSING_OPERATOR = "_missing_operator"  # after the name of the runtime or kernels


def check_distance(
    name: str, found: Distance, entry: Format, expected: Expectation, noise: float
) -> list[Check | Observation]:
    """Returns what is to be said of an output's distance to the Keras model's.

    Without labels, agreement is only observed: the classes of a model that cannot tell its
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
    chance = least_agreement(reference) if found.accuracy_drop is not None else 0.0
    limits = allowed(entry.limits, noise, found.span, chance)
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
    most_abs = Check.at_most(f"max_abs_error{suffix}", found.max_abs_error, limits.max_abs_error)
    if found.is_constant:
        is_one = reference.shape[-1] == 1 and np.allclose(reference, 1, atol=1e-6)
        value = f"output {name!r} is the same for all examples{SOFTMAX_OF_ONE * is_one}"
        findings.append(Observation(name=f"{CONSTANT}{suffix}", value=value))
        if found.snr_db > -MAX_SNR_DB:
            findings.append(Check.at_least(f"snr_db{suffix}", found.snr_db, limits.snr_db))
        return [*findings, most_abs]
    if found.accuracy_drop is not None and found.agreement is not None:
        least = limits.agreement - sampling_error(limits.agreement, count)
        most = limits.accuracy_drop + sampling_error(found.agreement, count)
        findings += [
            Check.at_least(f"agreement{suffix}", found.agreement, least),
            Check.at_most(f"accuracy_drop{suffix}", found.accuracy_drop, most),
        ]
    elif found.agreement is not None:
        findings.append(Observation(name=f"agreement{suffix}", value=found.agreement))
    return [
        *findings,
        most_abs,
        Check.at_least(f"snr_db{suffix}", found.snr_db, limits.snr_db),
        Check.at_least(f"variation_db{suffix}", found.centred_snr_db, limits.centred_snr_db),
        Check.at_least(f"cosine{suffix}", found.cosine, limits.cosine),
    ]


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


def check_runtimes(
    entry: Format,
    settings: Settings,
    path: Path,
    runner: Runner,
    expected: Expectation,
    noise: float,
) -> list[Check | Observation]:
    """Compares the file's outputs with its outputs on other kernels and runtimes.

    Args:
        entry: the format.
        settings: its options.
        path: the file.
        runner: the file on its own runtime.
        expected: the examples.
        noise: how much more of it the file may have by its depth.
    """
    some = {name: values[:CROSS_RUNTIME_EXAMPLES] for name, values in expected.inputs.items()}
    stored = encode_all(some, runner.inputs)
    own = _OwnOutputs(
        activations=entry.activations,
        expected=expected,
        noise=noise,
        specs=runner.outputs,
        stored=stored,
        outputs=tuple(
            values[: min(expected.count, CROSS_RUNTIME_EXAMPLES)]
            for values in unpack(runner.invoke_each(stored))
        ),
    )

    def in_mode(name: str, mode: str) -> list[Check | Observation]:
        with open_runner(entry.runtime, path, threads=1, mode=mode) as other:
            return own.compare(name, other)

    name = "reference_kernels" if entry.family == "tflite" else "unoptimized_graph"
    try:
        findings = in_mode(name, MODES[entry.runtime][-1])
    except MissingOperatorError as error:
        # LiteRT's reference kernels are fewer than its own optimized ones, which run everywhere
        findings = [Observation(name=f"{name}{MISSING_OPERATOR}", value=error.operator)]
        findings += in_mode("builtin_kernels", "builtin")
    small = path.stat().st_size <= TFLM_MAX_BYTES
    for_tflm = entry.family == "tflite" and entry.calibrated and settings.batch == 1 and small
    if for_tflm and is_published_here():
        # whether TFLM can load it matters to those who want it for a microcontroller, not here
        try:
            with TFLMRunner(path, like=runner) as other:
                findings += own.compare(TFLM, other)
        except MissingOperatorError as error:
            findings.append(Observation(name=f"{TFLM}{MISSING_OPERATOR}", value=error.operator))
        except ArtifactError as error:
            findings.append(Observation(name=TFLM, value=str(error)))
    return findings


@dataclass(frozen=True, kw_only=True)
class _OwnOutputs:
    """What a file gives on its own runtime, which others are compared with.

    Attributes:
        activations: the format's, which set how far kernels may differ.
        expected: what it was verified against.
        noise: how much more of it the file may have by its depth.
        specs: of its outputs.
        stored: what it was given.
        outputs: what it gave, in the order of the specs.
    """

    activations: str
    expected: Expectation
    noise: float
    specs: tuple[TensorSpec, ...]
    stored: Values
    outputs: tuple[np.ndarray, ...]

    def compare(self, name: str, other: Runner) -> list[Check | Observation]:
        """Returns how far the outputs of another runner are from these."""
        amplitude = math.sqrt(self.noise)
        theirs = unpack(_invoke_some(other, self.stored, time.monotonic))
        findings: list[Check | Observation] = []
        for spec, mine, their in zip(self.specs, self.outputs, theirs, strict=True):
            suffix, mine = self.expected.suffix(spec.name), mine[: len(their)]
            their = their[: len(mine)]  # a fixed batch is filled up
            if are_classes(mine.shape):
                counted = np.ones(len(mine), bool)
                if spec.name not in self.expected.labels:
                    counted = decisive(self.expected.outputs[spec.name][: len(mine)])
                is_flip = their.argmax(axis=1) != mine.argmax(axis=1)
                flips = float(np.mean(is_flip[counted] if counted.any() else is_flip))
                title = f"{name}_flips{suffix}"
                if spec.name in self.expected.labels or counted.sum() >= MIN_DECISIVE:
                    most = min(MAX_FLIPS[self.activations] * amplitude, MOST_FLIPS)
                    most += sampling_error(most, int(counted.sum()))
                    if flips > most:
                        most = max(most, self._own(spec.name, lambda own: own.flips))
                    findings.append(Check.at_most(title, flips, most))
                else:
                    findings.append(Observation(name=title, value=flips))
            difference = float(np.abs(decode(their, spec) - decode(mine, spec)).max())
            reference = self.expected.outputs[spec.name]
            span = max(1.0, float(reference.max() - reference.min()))
            limit = min(MAX_DIFFERENCE[self.activations] * amplitude, MOST_DIFFERENCE) * span
            if difference > limit:
                limit = max(limit, self._own(spec.name, lambda own: own.max_abs_error))
            unit = spec.scale or 1.0
            kind = "max_abs" if spec.scale is None else "max_lsb"
            findings.append(
                Check.at_most(f"{name}_{kind}{suffix}", difference / unit, limit / unit)
            )
        return findings

    def _own(self, name: str, measure: Callable[[Distance], float]) -> float:
        """Returns what kernels may do for the model's own rounding, by a measure of distance."""
        own = self.expected.own_rounding[name]
        return ROUNDING_FACTOR * max(map(measure, own), default=0.0)


def decisive(reference: np.ndarray) -> np.ndarray:
    """Returns which of (N, C) outputs have a first class that noise does not change, (N,) bool."""
    second, first = np.partition(reference, -2, axis=1)[:, -2:].T
    found: np.ndarray = first - second >= DECISIVE_SHARE * max(float(np.ptp(reference)), 1e-30)
    return found


def _invoke_some(runner: Runner, stored: Values, clock_s: Callable[[], float]) -> Values:
    """Runs as many examples one by one as there is time for, at least one."""
    started, count = clock_s(), len(unpack(stored)[0])
    done = []
    for index in range(count):
        one = tuple(values[index : index + 1] for values in unpack(stored))
        done.append(unpack(runner.invoke_each(one if len(one) > 1 else one[0])))
        if clock_s() - started > CROSS_RUNTIME_SECONDS:
            break
    found = tuple(np.concatenate(parts) for parts in zip(*done, strict=True))
    return found if len(found) > 1 else found[0]
