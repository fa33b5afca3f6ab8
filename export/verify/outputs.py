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
from export.verify.distance import Distance, are_classes
from export.verify.expectation import Expectation
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
# The centred SNR may be so much lower: the mean, which the plain one counts as signal, is gone.
CENTRED_SLACK_DB = 6.0
LIMITS_PRODUCTS = 3  # layers of the networks that the formats' limits were set on
STANDARD_ERRORS = 1.96  # 95 %
# Nobody puts more weights into a microcontroller.
TFLM_MAX_BYTES = 4 << 20
TFLM = "tflm"
MISSING_OPERATOR = "_missing_operator"  # after the name of the runtime or kernels


def sampling_error(share: float, count: int) -> float:
    """Returns how far a share of some examples may be from its limit by chance, 95 %.

    Of a few dozen examples one that changes its class is no evidence against a file. The normal
    approximation, of a share in 0…1 of `count` examples.
    """
    return STANDARD_ERRORS * math.sqrt(max(share * (1 - share), 1 / count) / count)


def depth_noise(products: int) -> float:
    """Returns how much more noise a network may have than those that limits were set on, ≥ 1.

    Each layer rounds its weights and its outputs; such errors are independent, and their powers
    add up. Set after measuring: of networks with random weights, 53 layers deep, int8 files lie
    4 to 8 decibels within these limits, wrong ones (another scale of the input, channels swapped)
    at 0 decibels or below.

    Args:
        products: how many operators of the file multiply by weights.
    """
    return max(1.0, products / LIMITS_PRODUCTS)


def check_distance(
    name: str, found: Distance, entry: Format, expected: Expectation, noise: float
) -> list[Check | Observation]:
    """Returns what is to be said of an output's distance to the Keras model's.

    Without labels, agreement is only observed: the classes of a model that cannot tell its
    examples apart say little.

    Args:
        name: the output's.
        found: the distance.
        entry: the format, which has the limits.
        expected: what the output was compared with.
        noise: how much more of it the file may have by its depth.
    """
    limits, suffix, count = entry.limits, expected.suffix(name), expected.count
    amplitude, decibels = math.sqrt(noise), 10 * math.log10(noise)
    snr_db = limits.snr_db - decibels
    findings: list[Check | Observation] = [
        Check.at_least(f"finite_outputs{suffix}", found.finite, 1)
    ]
    if found.accuracy_drop is not None and found.agreement is not None:
        share = 1 - (1 - limits.agreement) * amplitude
        least = share - sampling_error(share, count)
        most = limits.accuracy_drop + sampling_error(found.agreement, count)
        findings += [
            Check.at_least(f"agreement{suffix}", found.agreement, least),
            Check.at_most(f"accuracy_drop{suffix}", found.accuracy_drop, most),
        ]
    elif found.agreement is not None:
        findings.append(Observation(name=f"agreement{suffix}", value=found.agreement))
    largest = limits.max_abs_error * amplitude * max(1, found.span)
    centred_db = snr_db - CENTRED_SLACK_DB
    return [
        *findings,
        Check.at_most(f"max_abs_error{suffix}", found.max_abs_error, largest),
        Check.at_least(f"snr_db{suffix}", found.snr_db, snr_db),
        Check.at_least(f"variation_db{suffix}", found.centred_snr_db, centred_db),
        Check.at_least(f"cosine{suffix}", found.cosine, 1 - (1 - limits.cosine) * noise),
    ]


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
        outputs=unpack(runner.invoke_each(stored)),
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
            if are_classes(mine.shape):
                flips = float(np.mean(their.argmax(axis=1) != mine.argmax(axis=1)))
                title = f"{name}_flips{suffix}"
                if spec.name in self.expected.labels:
                    most = MAX_FLIPS[self.activations] * amplitude
                    most += sampling_error(most, len(mine))
                    findings.append(Check.at_most(title, flips, most))
                else:
                    findings.append(Observation(name=title, value=flips))
            difference = float(np.abs(decode(their, spec) - decode(mine, spec)).max())
            reference = self.expected.outputs[spec.name]
            span = max(1.0, float(reference.max() - reference.min()))
            limit = MAX_DIFFERENCE[self.activations] * amplitude * span
            unit = spec.scale or 1.0
            kind = "max_abs" if spec.scale is None else "max_lsb"
            findings.append(
                Check.at_most(f"{name}_{kind}{suffix}", difference / unit, limit / unit)
            )
        return findings


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
