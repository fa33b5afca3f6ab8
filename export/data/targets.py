"""Targets: integer classes, or real values of the output's shape. Light."""

import numpy as np

from export.data.values import check_finite, chunks, first_bad, outside
from export.data.wanted import classes_of
from train.common.errors import DataError
from train.common.tensors import TensorSpec


def fitted_target(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    """Returns classes (N,), integers in 0…classes − 1, or float values of the output's shape.

    Args:
        values: (N,) or (N, 1) integer classes, also bool where there are two; (N, classes)
            with a single 1 a row, which become classes; or float values of the output's shape.
        output: whose truth it is.

    Raises:
        DataError: it is none of these; the message names the first value that does not fit.
    """
    classes = classes_of(output)
    binary = output.shape[1:] in ((), (1,))
    if classes is not None and not binary and values.shape[1:] == (classes,):
        return _classes_or_values(values, output)
    if values.dtype.kind == "f":
        return _real_values(values, output)
    if classes is None:
        raise DataError(f"got {values.dtype}, expected float values of the output {output}")
    return _labels(values, output, classes, binary=binary)


def _classes_or_values(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    """Returns the classes of one-hot rows, else real values as they are; (N, classes)."""
    found = np.empty(len(values), np.int64)
    for start, chunk in chunks(values):
        one = chunk == 1
        single = (one.sum(axis=1) == 1) & (one | (chunk == 0)).all(axis=1)
        if not single.all():
            if values.dtype.kind == "f":
                return _real_values(values, output)
            raise DataError(
                f"got no single 1 in row {start + int(single.argmin())} of {values.shape}, "
                "expected classes (N,) or a single 1 a row; give other values as floats"
            )
        found[start : start + len(chunk)] = one.argmax(axis=1)
    return found


def _real_values(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    if output.shape[1:] == (1,) and values.ndim == 1:
        values = values[:, np.newaxis]
    fits = values.ndim == len(output.shape) and all(
        size in (None, got) for size, got in zip(output.shape[1:], values.shape[1:], strict=True)
    )
    if not fits:
        classes = "" if classes_of(output) is None else ", or integer classes (N,)"
        raise DataError(
            f"got {values.dtype} of shape {values.shape}, expected the shape of {output}{classes}"
        )
    check_finite(values)
    return values


def _labels(values: np.ndarray, output: TensorSpec, classes: int, *, binary: bool) -> np.ndarray:
    if values.shape == (len(values), 1):
        values = values[:, 0]
    if values.ndim != 1 or (values.dtype.kind == "b" and not binary):
        raise DataError(
            f"got {values.dtype} of shape {values.shape}, expected integer classes (N,) in "
            f"0…{classes - 1} for {output}"
        )
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    bad = first_bad(values, outside(0, classes - 1))
    if bad is not None:
        remedy = "give other values as floats" if binary else "give the model's own classes"
        raise DataError(
            f"labels outside the classes: got {bad.value} in example {bad.index}, expected "
            f"0…{classes - 1}; {remedy}"
        )
    return values
