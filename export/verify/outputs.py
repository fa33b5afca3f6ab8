"""The checks of what a file computes: against the Keras model, and on other kernels. Light."""

import math
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.deploy.microcontroller.operators import missed_operator
from export.formats import Format
from export.manifest import Check
from export.runtimes import PLAIN_MODE, decode, encode_all, open_runner
from export.runtimes.runner import Runner, Values, unpack
from export.runtimes.tflm import TFLMRunner
from export.settings import Settings
from export.verify.distance import Distance, are_classes
from train.common.errors import ArtifactError

if TYPE_CHECKING:
    from export.verify.file import Expectation

# How many examples are run on the other, slower runtimes, for how long, and how far those may be
# apart.
CROSS_RUNTIME_EXAMPLES = 500
CROSS_RUNTIME_SECONDS = 20.0
# Kernels round integers differently, and a deep network adds that up: an example between two
# classes may get the other one.
MAX_FLIPS = {"float32": 0.002, "float16": 0.004, "dynamic": 0.004, "int16": 0.004, "int8": 0.02}
MAX_DIFFERENCE = {"float32": 1e-4, "float16": 0.01, "dynamic": 0.1, "int16": 0.01, "int8": 0.2}
# What a constant answer hides: the variation from example to example may be so much noisier.
VARIATION_SLACK_DB = 6.0
LIMITS_PRODUCTS = 3  # layers of the networks that the formats' limits were set on
CHANCE = 1.96  # standard deviations
# Nobody puts more weights into a microcontroller.
TFLM_MAX_BYTES = 4 << 20


def chance(share: float, count: int) -> float:
    """Returns how far a share of some examples may be from its limit by chance, 95 %.

    Of a few dozen examples one that changes its class is no evidence against a file. The normal
    approximation, of a share in 0…1 of `count` examples.
    """
    return CHANCE * math.sqrt(max(share * (1 - share), 1 / count) / count)


def depth(products: int) -> float:
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
    found: Distance, entry: Format, *, count: int, judged: bool, noise: float = 1.0
) -> list[Check]:
    """Returns the checks of an output's distance to the Keras model's.

    Args:
        found: the distance.
        entry: the format, which has the limits.
        count: of how many examples.
        judged: whether the truth is known. Without, the classes of a model that cannot tell its
            examples apart say little, and so agreement is recorded and has no limit.
        noise: how much more of it the file may have by its depth.
    """
    limits = entry.limits
    amplitude, decibels = math.sqrt(noise), 10 * math.log10(noise)
    snr_db = limits.snr_db - decibels

    def at_least(name: str, value: float, limit: float) -> Check:
        return Check(name=name, value=value, limit=f">= {limit:g}", passed=value >= limit)

    def at_most(name: str, value: float, limit: float) -> Check:
        return Check(name=name, value=value, limit=f"<= {limit:g}", passed=value <= limit)

    checks = [at_least("finite_outputs", found.finite, 1)]
    if found.agreement is not None:
        share = 1 - (1 - limits.agreement) * amplitude
        least = share - chance(share, count) if judged else 0
        checks.append(at_least("agreement", found.agreement, least))
        if found.accuracy_drop is not None:
            most = limits.accuracy_drop + chance(found.agreement, count)
            checks.append(at_most("accuracy_drop", found.accuracy_drop, most))
    largest = limits.max_abs_error * amplitude * max(1, found.span)
    return [
        *checks,
        at_most("max_abs_error", found.max_abs_error, largest),
        at_least("snr_db", found.snr_db, snr_db),
        at_least("variation_db", found.variation_db, snr_db - VARIATION_SLACK_DB),
        at_least("cosine", found.cosine, 1 - (1 - limits.cosine) * noise),
    ]


def check_runtimes(
    entry: Format,
    settings: Settings,
    path: Path,
    fast: Runner,
    expected: "Expectation",
    noise: float,
) -> list[Check]:
    """Compares the file's outputs with its outputs on other kernels and runtimes.

    `noise` is how much more of it the file may have by its depth.
    """
    some = {name: values[:CROSS_RUNTIME_EXAMPLES] for name, values in expected.inputs.items()}
    stored = encode_all(some, fast.inputs)
    outputs = unpack(fast.invoke_each(stored))

    def compared(name: str, mode: str) -> list[Check]:
        with open_runner(entry.runtime, path, threads=1, mode=mode) as other:
            return _compare(name, other, stored, outputs, fast, entry, expected, noise)

    name = "reference_kernels" if entry.family == "tflite" else "unoptimized_graph"
    try:
        checks = compared(name, PLAIN_MODE[entry.runtime])
    except ArtifactError as error:
        missed = missed_operator(str(error))
        if missed is None:
            raise
        # LiteRT's reference kernels are fewer than its own optimized ones, which run everywhere
        said = f"have no {missed}"
        checks = [Check(name=name, value=said, limit="run it, or have not all", passed=True)]
        checks += compared("builtin_kernels", "builtin")
    small = path.stat().st_size <= TFLM_MAX_BYTES
    on_tflm = entry.family == "tflite" and entry.calibrated and settings.batch == 1 and small
    if on_tflm and tflm_exists():
        try:
            with TFLMRunner(path, like=fast) as runner:
                checks += _compare("tflm", runner, stored, outputs, fast, entry, expected, noise)
        except ArtifactError as error:
            # of a model with labels it is a microcontroller's that is asked for; else it is told
            checks.append(Check(name="tflm", value=str(error), limit="loads it", passed=True))
    return checks


def _compare(
    name: str,
    other: Runner,
    stored: Values,
    outputs: tuple[np.ndarray, ...],
    fast: Runner,
    entry: Format,
    expected: "Expectation",
    noise: float,
) -> list[Check]:
    others = unpack(_invoke_some(other, stored, time.monotonic))
    checks = []
    for spec, mine, theirs in zip(fast.outputs, outputs, others, strict=True):
        suffix = "" if spec.name == expected.output_specs[0].name else f":{spec.name}"
        mine = mine[: len(theirs)]
        if are_classes(mine.shape):
            judged = spec.name in expected.labels
            max_flips = MAX_FLIPS[entry.activations] * math.sqrt(noise)
            max_flips += chance(max_flips, len(mine)) if judged else 1.0
            flips = float(np.mean(theirs.argmax(axis=1) != mine.argmax(axis=1)))
            checks.append(
                Check(
                    name=f"{name}_flips{suffix}",
                    value=flips,
                    limit=f"<= {max_flips:g}",
                    passed=flips <= max_flips,
                )
            )
        difference = float(np.abs(decode(theirs, spec) - decode(mine, spec)).max())
        reference = expected.outputs[spec.name]
        span = max(1.0, float(reference.max() - reference.min()))
        limit = MAX_DIFFERENCE[entry.activations] * math.sqrt(noise) * span
        unit = spec.scale or 1.0
        kind = "max_abs" if spec.scale is None else "max_lsb"
        checks.append(
            Check(
                name=f"{name}_{kind}{suffix}",
                value=difference / unit,
                limit=f"<= {limit / unit:g}",
                passed=difference <= limit,
            )
        )
    return checks


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


def tflm_exists() -> bool:
    """Returns whether TFLM's wheel exists for this kind of machine."""
    return sys.platform == "linux" and platform.machine() == "x86_64"
