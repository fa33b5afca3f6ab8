"""A file's real outputs for real inputs: quantized for the runtime, run one by one, and back."""

from collections.abc import Mapping, Sequence

import numpy as np

from export.runtimes.runner import Runner, Values, pack, unpack
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec, fits, shape_text


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


def range_of(spec: TensorSpec) -> tuple[float, float]:
    """Returns the least and the largest real value that a tensor with a scale can hold."""
    limits = np.iinfo(spec.dtype)
    scale, zero_point = spec.scale or 1.0, spec.zero_point or 0
    return (limits.min - zero_point) * scale, (limits.max - zero_point) * scale


def clipped(values: np.ndarray, spec: TensorSpec) -> int:
    """Returns how many real values lie outside what a tensor of `spec` can hold.

    Args:
        values: any shape, float32, real values; what is outside by half a step is rounded.
        spec: the tensor; a float tensor holds them all.
    """
    if spec.scale is None or spec.zero_point is None:
        return 0
    low, high = range_of(spec)
    slack = spec.scale * 0.501
    return int(np.count_nonzero((values < low - slack) | (values > high + slack)))


def range_use(values: np.ndarray, spec: TensorSpec) -> float:
    """Returns how much of the range that a tensor can hold some values take up, 0…1 or more.

    Args:
        values: any shape, float32, real values.
        spec: the tensor; 1 for a float tensor.

    Returns:
        The larger of the values' ends over the range's, on the sides that the range has.
    """
    if spec.scale is None or spec.zero_point is None:
        return 1.0
    limits = np.iinfo(spec.dtype)
    ends = ((limits.min, values.min()), (limits.max, values.max()))
    return max(
        float(value) / ((limit - spec.zero_point) * spec.scale)
        for limit, value in ends
        if limit != spec.zero_point
    )


def decode(stored: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Returns the real values, float32, of what a tensor of `spec` holds."""
    if spec.scale is None or spec.zero_point is None:
        return stored.astype(np.float32, copy=False)
    return (stored.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def encode_all(inputs: Mapping[str, np.ndarray], specs: Sequence[TensorSpec]) -> Values:
    """Returns inputs (N, …) by name as a runner takes them call by call, (calls, batch, …) each.

    The batch is 1 unless the file has another one, which the last example fills up.

    Raises:
        ArtifactError: an input is missing, or its values do not fit.
    """
    for spec in specs:
        found = inputs[spec.name].shape[1:] if spec.name in inputs else None
        if found is None or not fits(found, spec.shape[1:]):
            raise ArtifactError(
                f"got inputs of shape {found}, expected {shape_text(spec.shape[1:])} each for "
                f"{spec.name!r}"
            )
    return pack([in_calls(encode(inputs[spec.name], spec), spec.shape[0] or 1) for spec in specs])


def in_calls(values: np.ndarray, batch: int) -> np.ndarray:
    """Returns (N, …) as (calls, batch, …), the last one repeated where there are too few."""
    missing = -len(values) % batch
    if missing:
        values = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
    return values.reshape(-1, batch, *values.shape[1:])


def predict(runner: Runner, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the real outputs, (N, …) float32 by name, of inputs run one by one.

    Args:
        runner: an entered runner; one whose batch is fixed runs so many at once.
        inputs: (N, …) by name, preprocessed, N ≥ 1.

    Raises:
        ArtifactError: the inputs do not fit the runner's.
    """
    stored = runner.invoke_each(encode_all(inputs, runner.inputs))
    count = len(next(iter(inputs.values())))
    return {
        spec.name: decode(values[:count], spec)
        for values, spec in zip(unpack(stored), runner.outputs, strict=True)
    }
