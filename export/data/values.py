"""Looks for bad values in arrays that may be larger than memory. Light."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.common.errors import DataError

CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A value that does not belong, and in which example it is, from 0."""

    index: int
    value: Any


def chunks(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the index of the first of some examples, and these, all in turn."""
    rows = max(1, CHUNK_BYTES * len(values) // max(1, values.nbytes))
    for start in range(0, len(values), rows):
        yield start, np.asarray(values[start : start + rows])


def first_bad(values: np.ndarray, is_bad: Callable[[np.ndarray], np.ndarray]) -> Bad | None:
    """Returns the first value that is bad; None if none is.

    Args:
        values: (N, …).
        is_bad: says it for some examples, (n, …) to bool of the same shape.
    """
    for start, chunk in chunks(values):
        bad = is_bad(chunk)
        if bad.any():
            where = np.unravel_index(int(bad.argmax()), chunk.shape)
            return Bad(index=start + int(where[0]), value=chunk[where])
    return None


def outside(lowest: int, highest: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what says which values are not in lowest…highest."""
    return lambda chunk: (chunk < lowest) | (chunk > highest)


def check_finite(values: np.ndarray) -> None:
    """Checks that every value is a finite number, as float32, which models compute in.

    Raises:
        DataError: one is not; the message names the first.
    """
    bad = first_bad(values, _is_not_finite) if values.dtype.kind == "f" else None
    if bad is not None:
        raise DataError(
            f"got {bad.value} in example {bad.index}, expected finite values within float32; "
            "remove or replace it"
        )


def _is_not_finite(chunk: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return ~np.isfinite(chunk.astype(np.float32, copy=False))
