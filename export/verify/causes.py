"""Why an integer file is far from the Keras model, as its inputs' and outputs' ranges tell."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from export.runtimes.predict import range_of
from train.common.tensors import TensorSpec

# A column that spans fewer steps of an integer tensor is as good as constant in it.
FEW_STEPS = 2.0
NAMED_COLUMNS = 4
FAR_OUTSIDE = 0.1  # of the range
MORE = "give more calibration examples, with --calibration-samples"


def causes(
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    given: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
) -> list[str]:
    """Returns sentences; none where the ranges are not to blame, or the tensors are float.

    Args:
        inputs: what the file says of its inputs.
        outputs: the same of its outputs.
        given: (N, …) held-out inputs by name, preprocessed.
        wanted: (N, …) the Keras model's outputs on them.
    """
    found: list[str] = []
    for spec in inputs:
        if spec.scale is not None:
            found += _lost_columns(spec, given[spec.name], spec.scale)
            found += _outside("input", spec, given[spec.name])
    for spec in outputs:
        if spec.scale is not None:
            found += _less_than_a_step(spec, wanted[spec.name], spec.scale)
            found += _outside("output", spec, wanted[spec.name])
    return found


def _lost_columns(spec: TensorSpec, values: np.ndarray, scale: float) -> Iterator[str]:
    """Of features side by side, those that are far smaller than others."""
    if values.ndim != 2:
        return
    spans = np.ptp(values, axis=0)
    lost = np.flatnonzero((spans > 0) & (spans < FEW_STEPS * scale))
    if lost.size == 0 or lost.size == values.shape[1]:
        return
    names = ", ".join(map(str, lost[:NAMED_COLUMNS])) + ", …" * (lost.size > NAMED_COLUMNS)
    largest = int(spans.argmax())
    yield (
        f"in input {spec.name!r} column{'s' * (lost.size > 1)} {names} (of {values.shape[1]}, "
        f"counted from 0) span{'s' * (lost.size == 1)} {spans[lost].max():.3g} at most and column "
        f"{largest} {spans[largest]:.3g}, so that a step of {spec.dtype} is {scale:.3g}: scale the "
        "columns alike before they enter the model"
    )


def _less_than_a_step(spec: TensorSpec, values: np.ndarray, scale: float) -> Iterator[str]:
    """An output that hardly varies around something large, as the range has to hold zero."""
    deviation = float(values.reshape(len(values), -1).std(axis=0).max())
    if 0 < deviation < scale:
        yield (
            f"output {spec.name!r} varies by {deviation:.3g} (standard deviation) around "
            f"{values.mean():.6g}, less than a step of {spec.dtype}, {scale:.3g}, as the range has "
            "to hold 0: leave what is constant, or the unit, to the code that uses the output"
        )


def _outside(side: str, spec: TensorSpec, values: np.ndarray) -> Iterator[str]:
    """Examples far beyond the range that the calibration examples gave."""
    low, high = range_of(spec)
    slack = FAR_OUTSIDE * (high - low)
    far = (values < low - slack) | (values > high + slack)
    outside = int(np.count_nonzero(far.reshape(len(values), -1).any(axis=1)))
    if outside:
        yield (
            f"{outside} of {len(values)} held-out examples have values of {side} {spec.name!r} "
            f"far outside the range that the calibration examples gave: {MORE}"
        )
