"""Runs an exported file on its runtime: numpy in, numpy out, one call an inference.

Light: standard library and numpy; a runtime is imported when its runner is entered. Adding a
runtime is one file here and one line in `open_runner`.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from export.manifest import TensorSpec
from export.runners.litert import LiteRTRunner
from export.runners.onnxruntime import ONNXRuntimeRunner
from train.errors import ArtifactError


class Runner(Protocol):
    """A loaded model with one input and one output."""

    @property
    def input(self) -> TensorSpec:
        """What the file says of its input."""

    @property
    def output(self) -> TensorSpec:
        """What the file says of its output."""

    def invoke(self, value: np.ndarray) -> np.ndarray:
        """Runs one inference; `value` has the input's dtype and a shape that fits it."""


def open_runner(
    runtime: str, path: Path, *, threads: int, reference: bool = False
) -> AbstractContextManager[Runner]:
    """Returns a context manager that loads a file on a runtime when entered.

    Args:
        runtime: `litert` or `onnxruntime`.
        path: the exported file.
        threads: how many threads the runtime may use for one inference.
        reference: run the plain way, as a check on the fast one: LiteRT's reference kernels
            instead of XNNPACK, ONNX Runtime without graph optimizations.

    Raises:
        ArtifactError: the runtime is unknown; on entering, the runtime refuses the file.
    """
    if runtime == "litert":
        return LiteRTRunner(path, threads=threads, reference=reference)
    if runtime == "onnxruntime":
        return ONNXRuntimeRunner(path, threads=threads, reference=reference)
    raise ArtifactError(f"{path}: got runtime {runtime!r}, expected litert or onnxruntime")


def encode(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Returns what a tensor of `spec` holds for real values: themselves, or quantized.

    Args:
        values: any shape, float32, real values.
        spec: the tensor; an integer dtype needs scale and zero point.
    """
    if spec.scale is None or spec.zero_point is None:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    quantized = np.rint(values / np.float32(spec.scale)) + spec.zero_point
    stored: np.ndarray = np.clip(quantized, limits.min, limits.max).astype(spec.dtype)
    return stored


def decode(stored: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Returns the real values, float32, of what a tensor of `spec` holds."""
    if spec.scale is None or spec.zero_point is None:
        return stored.astype(np.float32, copy=False)
    return (stored.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def predict(runner: Runner, inputs: np.ndarray) -> np.ndarray:
    """Returns the real outputs, (N, classes) float32, of inputs run one by one.

    Args:
        runner: an entered runner whose batch is 1 or open.
        inputs: (N, …) float32, preprocessed, N ≥ 1.

    Raises:
        ArtifactError: the inputs do not fit the runner's input.
    """
    expected = runner.input.shape[1:]
    if inputs.shape[1:] != expected:
        raise ArtifactError(f"got inputs of shape {inputs.shape[1:]}, expected {expected} each")
    stored = encode(inputs, runner.input)[:, np.newaxis]
    return decode(np.concatenate([runner.invoke(value) for value in stored]), runner.output)
