"""Is the file what was asked for, and does it do what the Keras model does? Light.

A converter that succeeds is not evidence: the file is loaded back on its runtime, run on
held-out training images, and compared.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.formats import BYTES_PER_WEIGHT, Format
from export.manifest import Check, TensorSpec
from export.runners import open_runner, predict

# Graph, names and quantization parameters on top of the weights.
SIZE_OVERHEAD_SHARE = 0.10
SIZE_OVERHEAD_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a file is verified against.

    Attributes:
        input: name and shape of the input with an open batch; dtype as the format says.
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
    """The checks of a file, and what it says of its own input and output."""

    input: TensorSpec
    output: TensorSpec
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


def verify(entry: Format, path: Path, expected: Expectation) -> Verification:
    """Loads a file on its runtime, runs it, and compares it with the Keras model.

    Raises:
        ArtifactError: the runtime cannot load the file, or its input does not fit.
    """
    with open_runner(entry.runtime, path, threads=1) as runner:
        found_input, found_output = runner.input, runner.output
        checks = [
            _check_tensor("input", found_input, expected.input, entry),
            _check_tensor("output", found_output, expected.output, entry),
            _check_size(path.stat().st_size, expected.weights, entry),
        ]
        if all(check.passed for check in checks):
            outputs = predict(runner, expected.inputs)
            checks += _check_outputs(outputs, expected, entry)
    return Verification(input=found_input, output=found_output, checks=tuple(checks))


def _check_tensor(name: str, found: TensorSpec, expected: TensorSpec, entry: Format) -> Check:
    shape = (entry.batch, *expected.shape[1:])
    asked = TensorSpec(name=expected.name, shape=shape, dtype=entry.io_dtype)
    quantized = entry.io_dtype == "int8"
    matches = (found.name, found.shape, found.dtype) == (asked.name, asked.shape, asked.dtype)
    return Check(
        name=name,
        value=str(found),
        limit=f"{asked}{' with scale' if quantized else ''}",
        passed=matches and (found.scale is not None) == quantized,
    )


def _check_size(size_bytes: int, weights: int, entry: Format) -> Check:
    low = weights * BYTES_PER_WEIGHT[entry.weights]
    high = round(low * (1 + SIZE_OVERHEAD_SHARE)) + SIZE_OVERHEAD_BYTES
    return Check(
        name="size_bytes",
        value=size_bytes,
        limit=f"{low} to {high} for {weights} {entry.weights} weights",
        passed=low <= size_bytes <= high,
    )


def _check_outputs(outputs: np.ndarray, expected: Expectation, entry: Format) -> list[Check]:
    finite = float(np.isfinite(outputs).mean())
    agreement = float((outputs.argmax(1) == expected.outputs.argmax(1)).mean())
    accuracy = float((outputs.argmax(1) == expected.labels).mean())
    drop = float((expected.outputs.argmax(1) == expected.labels).mean()) - accuracy
    error = float(np.abs(np.nan_to_num(outputs) - expected.outputs).mean())
    return [
        Check(name="finite_outputs", value=finite, limit="= 1", passed=finite == 1),
        Check(
            name="agreement",
            value=agreement,
            limit=f">= {entry.min_agreement:g}",
            passed=agreement >= entry.min_agreement,
        ),
        Check(
            name="accuracy_drop",
            value=drop,
            limit=f"<= {entry.max_accuracy_drop:g}",
            passed=drop <= entry.max_accuracy_drop,
        ),
        Check(
            name="mean_abs_error",
            value=error,
            limit=f"<= {entry.max_mean_abs_error:g}",
            passed=error <= entry.max_mean_abs_error,
        ),
    ]
