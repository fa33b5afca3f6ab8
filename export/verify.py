"""Is the file what was asked for, and does it do what the Keras model does?

A converter that succeeds is not evidence: the file is loaded back on its runtime, run on
held-out training images, compared with the Keras model, and compared with itself on other
kernels and runtimes. Light: runtimes and schemas are imported when used.
"""

import platform
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.compare import Distance, distance
from export.formats import BITS_PER_WEIGHT, Format
from export.inspection import SHAPE_ARITHMETIC, Graph, inspect
from export.manifest import Check, TensorSpec
from export.runners import PLAIN_MODE, decode, encode, open_runner, predict
from export.runners.runner import Runner
from export.runners.tflm import TFLMRunner
from export.settings import Settings
from train.errors import ArtifactError

# Graph, names and quantization parameters on top of the weights.
SIZE_OVERHEAD_SHARE = 0.10
SIZE_OVERHEAD_BYTES = 16_384
SIZE_OVERHEAD_BYTES_AN_OPERATOR = 512
# How many images are run on the other, slower runtimes, and how far those may be apart.
CROSS_RUNTIME_IMAGES = 500
# Kernels round integers differently, and a deep network adds that up: an image between two classes
# may get the other one.
MAX_FLIPS = {"float32": 0.002, "float16": 0.004, "dynamic": 0.004, "int16": 0.004, "int8": 0.02}
MAX_DIFFERENCE = {"float32": 1e-4, "float16": 0.01, "dynamic": 0.1, "int16": 0.01, "int8": 0.2}
SPARSITY_SLACK = 0.01


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a file is verified against.

    Attributes:
        input: name and shape of the input; batch and dtype are the settings'.
        output: the same of the output.
        weights: how many numbers the model's weights hold.
        inputs: (N, …) float32, preprocessed held-out training images.
        labels: (N,) their classes.
        outputs: (N, classes) float32, the Keras model's outputs on them.
    """

    input: TensorSpec
    output: TensorSpec
    weights: int
    inputs: np.ndarray
    labels: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The checks of a file, what it says of its input and output, its operators by name."""

    input: TensorSpec
    output: TensorSpec
    operators: Mapping[str, int]
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


def verify(entry: Format, settings: Settings, path: Path, expected: Expectation) -> Verification:
    """Loads a file on its runtime, looks into it, runs it, and compares it with the Keras model.

    Raises:
        ArtifactError: the format's own checker or the runtime refuses the file.
    """
    graph = inspect(path)
    with open_runner(entry.runtime, path, threads=1) as runner:
        found_input, found_output = runner.input, runner.output
        checks = [
            _check_format(path),
            _check_tensor("input", found_input, expected.input, settings),
            _check_tensor("output", found_output, expected.output, settings),
            _check_size(path.stat().st_size, expected.weights, len(graph.operators), entry),
            *_check_graph(graph, entry, settings),
        ]
        if all(check.passed for check in checks):
            outputs = predict(runner, expected.inputs)
            checks += _check_outputs(distance(outputs, expected.outputs, expected.labels), entry)
            checks += _check_runtimes(entry, settings, path, runner, expected.inputs)
    return Verification(
        input=found_input,
        output=found_output,
        operators=dict(Counter(graph.operators)),
        checks=tuple(checks),
    )


def _check_format(path: Path) -> Check:
    """The format's own checker; it raises for a file that it refuses."""
    if path.suffix == ".onnx":
        import onnx

        try:
            onnx.checker.check_model(path, full_check=True)
        except onnx.checker.ValidationError as error:
            raise ArtifactError(f"{path}: onnx.checker refuses it: {error}") from error
        return Check(name="format_checker", value="onnx.checker", limit="accepts", passed=True)
    # LiteRT verifies the flatbuffer whenever it loads a file, as it just did
    return Check(name="format_checker", value="flatbuffer verifier", limit="accepts", passed=True)


def _check_tensor(name: str, found: TensorSpec, expected: TensorSpec, settings: Settings) -> Check:
    shape = (settings.batch, *expected.shape[1:])
    asked = TensorSpec(name=expected.name, shape=shape, dtype=settings.io_dtype)
    quantized = settings.io_dtype != "float32"
    matches = (found.name, found.shape, found.dtype) == (asked.name, asked.shape, asked.dtype)
    return Check(
        name=name,
        value=str(found),
        limit=f"{asked}{' with scale' if quantized else ''}",
        passed=matches and (found.scale is not None) == quantized,
    )


def _check_size(size_bytes: int, weights: int, operators: int, entry: Format) -> Check:
    low = weights * BITS_PER_WEIGHT[entry.weights] // 8
    overhead = SIZE_OVERHEAD_BYTES + SIZE_OVERHEAD_BYTES_AN_OPERATOR * operators
    high = round(low * (1 + SIZE_OVERHEAD_SHARE)) + overhead
    return Check(
        name="size_bytes",
        value=size_bytes,
        limit=f"{low} to {high} for {weights} {entry.weights} weights",
        passed=low <= size_bytes <= high,
    )


def _check_graph(graph: Graph, entry: Format, settings: Settings) -> list[Check]:
    def none_of(name: str, found: list[str]) -> Check:
        return Check(name=name, value=", ".join(found) or "none", limit="none", passed=not found)

    checks = [none_of("foreign_operators", list(graph.foreign_operators))]
    if entry.calibrated:
        checks.append(none_of("float_operators", list(graph.float_operators)))
    if settings.batch is not None:
        shape = [name for name in graph.operators if name in SHAPE_ARITHMETIC]
        checks.append(none_of("shape_operators", shape))
    for asked in settings.sparsities[:1]:
        pruned = np.concatenate([kernel.ravel() for kernel in graph.kernels[:-1]])
        sparsity = float(np.mean(pruned == 0))
        least = asked - SPARSITY_SLACK
        checks.append(
            Check(name="sparsity", value=sparsity, limit=f">= {least:g}", passed=sparsity >= least)
        )
    if settings.clusters is not None:
        distinct = max(int(np.unique(kernel).size) for kernel in graph.kernels)
        checks.append(
            Check(
                name="distinct_weights",
                value=distinct,
                limit=f"<= {settings.clusters}",
                passed=distinct <= settings.clusters,
            )
        )
    return checks


def _check_outputs(found: Distance, entry: Format) -> list[Check]:
    limits = entry.limits

    def at_least(name: str, value: float, limit: float) -> Check:
        return Check(name=name, value=value, limit=f">= {limit:g}", passed=value >= limit)

    def at_most(name: str, value: float, limit: float) -> Check:
        return Check(name=name, value=value, limit=f"<= {limit:g}", passed=value <= limit)

    return [
        at_least("finite_outputs", found.finite, 1),
        at_least("agreement", found.agreement, limits.agreement),
        at_most("accuracy_drop", found.accuracy_drop, limits.accuracy_drop),
        at_most("max_abs_error", found.max_abs_error, limits.max_abs_error),
        at_least("snr_db", found.snr_db, limits.snr_db),
        at_least("cosine", found.cosine, limits.cosine),
    ]


def _check_runtimes(
    entry: Format, settings: Settings, path: Path, fast: Runner, inputs: np.ndarray
) -> list[Check]:
    """Compares the file's outputs with its outputs on other kernels and runtimes."""
    stored = encode(inputs[:CROSS_RUNTIME_IMAGES], fast.input)[:, np.newaxis]
    outputs = fast.invoke_each(stored)

    def compare(name: str, other: Runner) -> list[Check]:
        others = other.invoke_each(stored)
        flips = float(np.mean(others.argmax(axis=1) != outputs.argmax(axis=1)))
        difference = np.abs(decode(others, fast.output) - decode(outputs, fast.output)).max()
        unit = fast.output.scale or 1.0
        limit, max_flips = MAX_DIFFERENCE[entry.activations], MAX_FLIPS[entry.activations]
        suffix = "max_abs" if fast.output.scale is None else "max_lsb"
        return [
            Check(
                name=f"{name}_flips",
                value=flips,
                limit=f"<= {max_flips:g}",
                passed=flips <= max_flips,
            ),
            Check(
                name=f"{name}_{suffix}",
                value=float(difference / unit),
                limit=f"<= {limit / unit:g}",
                passed=bool(difference <= limit),
            ),
        ]

    name = "reference_kernels" if entry.family == "tflite" else "unoptimized_graph"
    plain = open_runner(entry.runtime, path, threads=1, mode=PLAIN_MODE[entry.runtime])
    with plain as reference:
        checks = compare(name, reference)
    if entry.family == "tflite" and entry.calibrated and settings.batch == 1 and tflm_exists():
        tflm = TFLMRunner(path, input_spec=fast.input, output_spec=fast.output)
        with tflm as runner:
            checks += compare("tflm", runner)
    return checks


def tflm_exists() -> bool:
    """Returns whether TFLM's wheel exists for this kind of machine."""
    return sys.platform == "linux" and platform.machine() == "x86_64"
