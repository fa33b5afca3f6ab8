"""Does the data that was found fit the model that it is for?

Values are looked at some rows at a time, so that arrays may be larger than memory.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.data.wanted import Wanted, error_prefix
from train.common.errors import DataError
from train.common.samples import Samples
from train.common.tensors import TensorSpec, fits

CHUNK_BYTES = 1 << 24


def check_samples(found: Samples, wanted: Wanted) -> Samples:
    """Returns examples in the shapes that the model takes.

    Args:
        found: arrays of numbers by the names of inputs and outputs, as the source holds them.
        wanted: what they are for.

    Raises:
        DataError: shapes, dtypes, values or numbers of examples do not fit.
    """
    arrays = {**found.inputs, **{f"target:{name}": v for name, v in found.targets.items()}}
    check_counts({name: len(values) for name, values in arrays.items()})
    inputs, targets = {}, {}
    for spec in wanted.inputs:
        inputs[spec.name] = shape_input(found.inputs[spec.name], spec)
        _check_values(inputs[spec.name], spec)
    for spec in wanted.outputs:
        if spec.name in found.targets:
            with error_prefix(f"target of {spec.name!r}"):
                targets[spec.name] = validate_target(found.targets[spec.name], spec)
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


def shape_input(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
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
    if not fits(values.shape[1:], wanted[1:]):
        raise DataError(
            f"input {spec.name!r}: got shape {values.shape}, expected {spec}; reshape the data"
        )
    if values.dtype.kind not in _kinds(spec):
        raise DataError(
            f"input {spec.name!r}: got {values.dtype}, expected {spec}; convert it with .astype"
        )
    return values


def classes_of(output: TensorSpec) -> int | None:
    """Returns how many classes an output tells apart; None if it tells no classes apart.

    (None, C) tells C apart; (None, 1) and (None,) tell 2, no from yes.
    """
    if len(output.shape) > 2:
        return None
    last = output.shape[1] if len(output.shape) == 2 else 1
    return 2 if last == 1 else last


def validate_target(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    """Returns classes (N,), integers in 0…classes − 1, or float values of the output's shape.

    Whatever reads targets later can tell by their dtype what they are.

    Args:
        values: (N,) or (N, 1) integer classes, also bool where there are two; (N, classes)
            with a single 1 per row, which become classes; or float values of the output's shape.
            Of an output of integers, such as an argmax, integers of its shape.
        output: whose truth it is.

    Raises:
        DataError: it is something else; the message names the first value that does not fit.
    """
    if output.is_exact:
        return _integers(values, output)
    classes = classes_of(output)
    binary = output.shape[1:] in ((), (1,))
    if classes is not None and not binary and values.shape[1:] == (classes,):
        return _classes_or_values(values, output)
    if values.dtype.kind == "f":
        return _real_values(values, output)
    if classes is None:
        raise DataError(f"got {values.dtype}, expected float values of the output {output}")
    return _labels(values, output, classes, binary=binary)


def _integers(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    """Returns the truth of integers: (N,) where there is one for each example."""
    if output.shape[1:] == (1,) and values.ndim == 2:
        values = values[:, 0]
    wanted = () if output.shape[1:] == (1,) else output.shape[1:]
    if values.dtype.kind not in "iub" or not fits(values.shape[1:], wanted):
        raise DataError(
            f"got {values.dtype} of shape {values.shape}, expected integers of the shape of "
            f"{output}"
        )
    return values.astype(np.int64)


def _classes_or_values(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    """Returns the classes of one-hot rows, else real values as they are; (N, classes)."""
    found = np.empty(len(values), np.int64)
    for start, chunk in _chunks(values):
        one = chunk == 1
        single = (one.sum(axis=1) == 1) & (one | (chunk == 0)).all(axis=1)
        if not single.all():
            if values.dtype.kind == "f":
                return _real_values(values, output)
            raise DataError(
                f"got no single 1 in row {start + int(single.argmin())} of {values.shape}, "
                "expected classes (N,) or a single 1 per row; give other values as floats"
            )
        found[start : start + len(chunk)] = one.argmax(axis=1)
    return found


def _real_values(values: np.ndarray, output: TensorSpec) -> np.ndarray:
    if output.shape[1:] == (1,) and values.ndim == 1:
        values = values[:, np.newaxis]
    if not fits(values.shape[1:], output.shape[1:]):
        classes = "" if classes_of(output) is None else ", or integer classes (N,)"
        raise DataError(
            f"got {values.dtype} of shape {values.shape}, expected the shape of {output}{classes}"
        )
    _check_finite(values)
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
    bad = _first_bad(values, _outside(0, classes - 1))
    if bad is not None:
        remedy = "give other values as floats" if binary else "give the model's own classes"
        raise DataError(
            f"labels outside the classes: got {bad.value} in example {bad.index}, expected "
            f"0…{classes - 1}; {remedy}"
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
    with error_prefix(f"input {spec.name!r}"):
        _check_finite(values)
        if values.dtype.kind not in "iu" or "int" not in spec.dtype:
            return
        if np.can_cast(values.dtype, spec.dtype):
            return
        limits = np.iinfo(spec.dtype)
        bad = _first_bad(values, _outside(limits.min, limits.max))
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


def _check_finite(values: np.ndarray) -> None:
    """Checks that every value is a finite number, as float32, which models compute in."""
    bad = _first_bad(values, _is_not_finite) if values.dtype.kind == "f" else None
    if bad is not None:
        raise DataError(
            f"got {bad.value} in example {bad.index}, expected finite values within float32; "
            "remove or replace it"
        )


@dataclass(frozen=True, kw_only=True)
class _Bad:
    """A value that does not belong, and in which example it is, from 0."""

    index: int
    value: Any


def _first_bad(values: np.ndarray, is_bad: Callable[[np.ndarray], np.ndarray]) -> _Bad | None:
    """Returns the first value, of (N, …), that is bad; None if there is none."""
    for start, chunk in _chunks(values):
        bad = is_bad(chunk)
        if bad.any():
            where = np.unravel_index(int(bad.argmax()), chunk.shape)
            return _Bad(index=start + int(where[0]), value=chunk[where])
    return None


def _chunks(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the index of the first of some examples, and these, all in turn."""
    rows = max(1, CHUNK_BYTES * len(values) // max(1, values.nbytes))
    for start in range(0, len(values), rows):
        yield start, np.asarray(values[start : start + rows])


def _outside(lowest: int, highest: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what says which values are not in lowest…highest."""
    return lambda chunk: (chunk < lowest) | (chunk > highest)


def _is_not_finite(chunk: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return ~np.isfinite(chunk.astype(np.float32, copy=False))
