"""The checks of what a file computes on other kernels and runtimes than its own."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.formats.settings import Settings
from export.formats.table import Format
from export.manifest import Check, Observation
from export.runtimes.open import MODES, open_runner
from export.runtimes.predict import decode, encode_all
from export.runtimes.runner import Runner, Values, unpack
from export.runtimes.tflm import TFLMRunner, is_published_here
from export.verify.allowed import ROUNDING_FACTOR
from export.verify.distance import Distance, are_classes
from export.verify.expectation import Expectation
from export.verify.floors import sampling_error
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
MISSING_OPERATOR = "_missing_operator"  # after the name of the runtime or kernels


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
            their = their[: len(mine)]  # a fixed batch is filled up
            suffix, mine = self.expected.suffix(spec.name), mine[: len(their)]
            if self.expected.is_exact(spec.name):
                findings.append(self._same_values(f"{name}_flips{suffix}", spec.name, mine, their))
                continue
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

    def _same_values(self, title: str, output: str, mine: np.ndarray, their: np.ndarray) -> Check:
        """Returns the check that indices or classes are the same, but for a share of them."""
        ranks = mine.shape[1] if mine.ndim == 2 else 1
        most = min(MAX_FLIPS[self.activations] * math.sqrt(self.noise) * ranks, MOST_FLIPS)
        most += sampling_error(most, len(mine))
        flips = float(np.mean(their != mine))
        if flips > most:
            most = max(most, self._own(output, lambda own: own.flips))
        return Check.at_most(title, flips, most)

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
