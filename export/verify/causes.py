"""Why an integer file is far from the Keras model, as the steps of inputs and outputs tell."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from train.common.tensors import TensorSpec

# A column that spans fewer steps of an integer tensor is as good as constant in it.
FEW_STEPS = 2.0
NAMED_COLUMNS = 4
LEVELS = {"int8": 255, "int16": 65_535}  # into which a scale divides a range


def causes(
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    given: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
    activations: str = "int8",
) -> list[str]:
    """Returns sentences; none where the steps are not to blame, or the file computes in float.

    Args:
        inputs: what the file says of its inputs.
        outputs: the same of its outputs.
        given: (N, …) held-out inputs by name, preprocessed.
        wanted: (N, …) the Keras model's outputs on them.
        activations: the format's; an integer one has a scale for float inputs as well.
    """
    found: list[str] = []
    for spec in inputs:
        values = given[spec.name]
        if values.dtype.kind == "f" and activations in LEVELS:
            ends = min(0.0, float(values.min())), max(0.0, float(values.max()))
            scale = spec.scale or (ends[1] - ends[0]) / LEVELS[activations]
            found += _lost_columns(spec.name, values, scale)
    for spec in outputs:
        if spec.scale is not None:
            found += _less_than_a_step(spec, wanted[spec.name], spec.scale)
    return found


def _lost_columns(name: str, values: np.ndarray, scale: float) -> Iterator[str]:
    """Of features side by side, those that are far smaller than others."""
    if values.ndim < 2:
        return
    count = values.shape[-1]
    spans = np.ptp(values.reshape(-1, count), axis=0)
    lost = np.flatnonzero((spans > 0) & (spans < FEW_STEPS * scale))
    if lost.size == 0 or lost.size == count:
        return
    names = ", ".join(map(str, lost[:NAMED_COLUMNS])) + ", …" * (lost.size > NAMED_COLUMNS)
    largest = int(spans.argmax())
    yield (
        f"in input {name!r} column{'s' * (lost.size > 1)} {names} (of {count}, "
        f"counted from 0) span{'s' * (lost.size == 1)} {spans[lost].max():.3g} at most and column "
        f"{largest} {spans[largest]:.3g}, so that a step of its scale is {scale:.3g}: bring the "
        "columns to about the same size before they enter the model, such as with --preprocess or, "
        "where its own layers do it, --extract-preprocessing, or leave those in float, as mixed "
        "formats can"
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
