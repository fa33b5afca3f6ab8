"""Does the data that was found fit the model that it is for?

Light: standard library and numpy. Values are looked at some rows at a time, so that arrays may
be larger than memory.
"""

import unicodedata
from collections.abc import Mapping

import numpy as np

from export.data.targets import fitted_target
from export.data.values import check_finite, first_bad, outside
from export.data.wanted import Wanted, classes_of, naming
from train.common.errors import DataError
from train.common.samples import Samples
from train.common.tensors import TensorSpec


def checked(found: Samples, wanted: Wanted) -> Samples:
    """Returns the first examples that were asked for, in the shapes that the model takes.

    Args:
        found: arrays of numbers by the names of inputs and outputs, as the source holds them.
        wanted: what they are for.

    Raises:
        DataError: shapes, dtypes, values or numbers of examples do not fit.
    """
    arrays = {**found.inputs, **{f"target:{name}": v for name, v in found.targets.items()}}
    check_counts({name: len(values) for name, values in arrays.items()})
    found = found.take(slice(wanted.limit))
    inputs, targets = {}, {}
    for spec in wanted.inputs:
        inputs[spec.name] = fitted_input(found.inputs[spec.name], spec)
        _check_values(inputs[spec.name], spec)
    for spec in wanted.outputs:
        if spec.name in found.targets:
            with naming(f"target of {spec.name!r}"):
                targets[spec.name] = fitted_target(found.targets[spec.name], spec)
    _check_class_names(found.class_names, classes_of(wanted.outputs[0]))
    return Samples(inputs=inputs, targets=targets, class_names=found.class_names)


def check_counts(counts: Mapping[str, int]) -> None:
    """Checks that there are as many examples in each array.

    Args:
        counts: of each array by what messages call it.

    Raises:
        DataError: they differ.
    """
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{count:,} of {key!r}" for key, count in counts.items())
        raise DataError(f"got {got}, expected as many examples in every array")


def fitted_input(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Returns an input's values in the shape that it takes; the values are not looked at.

    Args:
        values: (N, …), numbers.
        spec: the input; (N, H, W) and (N,) get the last axis of (?, H, W, 1) and (?, 1).

    Raises:
        DataError: shape or dtype do not fit.
    """
    wanted = spec.shape
    if len(wanted) in (2, 4) and wanted[-1] == 1 and values.ndim == len(wanted) - 1:
        values = values[..., np.newaxis]
    fits = values.ndim == len(wanted) and all(
        size in (None, got) for size, got in zip(wanted[1:], values.shape[1:], strict=True)
    )
    if not fits:
        raise DataError(
            f"input {spec.name!r}: got shape {values.shape}, expected {spec}; reshape the data"
        )
    if values.dtype.kind not in _kinds(spec):
        raise DataError(
            f"input {spec.name!r}: got {values.dtype}, expected {spec}; convert it with .astype"
        )
    return values


def _kinds(spec: TensorSpec) -> str:
    """Returns the kinds of dtype that an input takes."""
    kinds = {"float": "biuf", "bfloat": "biuf", "int": "iu", "uint": "iu", "bool": "b"}
    try:
        return kinds[spec.dtype.rstrip("0123456789")]
    except KeyError as error:
        raise DataError(f"the model's input {spec} takes no numbers; use another model") from error


def _check_values(values: np.ndarray, spec: TensorSpec) -> None:
    with naming(f"input {spec.name!r}"):
        check_finite(values)
        if values.dtype.kind not in "iu" or "int" not in spec.dtype:
            return
        if np.can_cast(values.dtype, spec.dtype):
            return
        limits = np.iinfo(spec.dtype)
        bad = first_bad(values, outside(limits.min, limits.max))
        if bad is not None:
            raise DataError(
                f"got {bad.value} in example {bad.index}, expected {limits.min} to {limits.max}, "
                f"what {spec.dtype} holds"
            )


def _check_class_names(names: tuple[str, ...], classes: int | None) -> None:
    if names and classes is not None and len(names) != classes:
        raise DataError(
            f"got {len(names):,} class names, expected {classes:,} by the model's output"
        )
    for name in names:
        if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
            raise DataError(f"got the class name {name!r}, expected printable text; rename it")
