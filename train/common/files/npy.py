""".npy files that need not fit into memory: mapped for reading, written a batch at a time.

Headers are read and judged before a value is, so that no pickle is loaded and no header that lies
costs memory.
"""

import io
import math
import os
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy_format

from train.common.errors import DataError
from train.common.files.open import open_regular

# numpy refuses a header above 10,000 characters, but not before it has read all of it.
MAX_HEADER_BYTES = 1 << 17
NUMBERS = "biuf"  # the kinds of dtype that values may be of
TEXT = "U"
PICKLED = "pickled objects are not loaded, because loading them runs code; save plain numbers"


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a .npy file says of its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        """How many bytes the values take up."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], size_bytes: int, kinds: str = NUMBERS) -> Header:
    """Returns the header at the start of a .npy file.

    Args:
        file: anything that reads bytes; how far it is read is not defined.
        size_bytes: of the whole file.
        kinds: the kinds of dtype that are taken, `NUMBERS` or `TEXT`.

    Raises:
        DataError: it is not an .npy file, holds objects or another kind, has no examples, or is
            not as large as its header says.
    """
    start = io.BytesIO(file.read(MAX_HEADER_BYTES))
    readers = {
        (1, 0): npy_format.read_array_header_1_0,
        (2, 0): npy_format.read_array_header_2_0,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it was written by Python 2
            shape, _, dtype = readers[npy_format.read_magic(start)](start)
    # What literal_eval and tokenize raise on garbage besides numpy's own ValueError
    except (
        *(ValueError, KeyError, IndexError, TypeError, OverflowError),
        *(SyntaxError, tokenize.TokenError, RecursionError, MemoryError),
    ) as error:
        if start.getvalue().startswith(b"\x80"):
            raise DataError(f"got a pickle, expected a .npy file; {PICKLED}") from error
        raise DataError(
            f"is not a complete .npy file ({size_bytes:,} bytes); write it with numpy.save"
        ) from error
    check_dtype(dtype, kinds)
    if (not shape and kinds != TEXT) or min(shape, default=1) < 1:
        raise DataError(
            f"got shape {shape}, expected examples in the first dimension, at least one, and no "
            "empty dimension"
        )
    header = Header(shape=shape, dtype=dtype)
    expected = start.tell() + header.size_bytes
    if size_bytes != expected:
        raise DataError(
            f"got {size_bytes:,} bytes, expected {expected:,} by its header; it is truncated or "
            "damaged, write it again"
        )
    return header


def check_dtype(dtype: np.dtype[Any], kinds: str = NUMBERS) -> None:
    """Checks that values are of a kind that is taken.

    Raises:
        DataError: they are not.
    """
    if dtype.hasobject:
        raise DataError(f"got an array of Python objects, expected numbers; {PICKLED}")
    if dtype.kind not in kinds or not dtype.itemsize:
        expected = "text" if kinds == TEXT else "bool, integer or float values"
        raise DataError(f"got {dtype}, expected {expected}; convert it with .astype")


def open_npy(path: Path, kinds: str = NUMBERS) -> np.ndarray:
    """Returns the array in a .npy file, mapped into memory for reading.

    Raises:
        DataError: as in `read_header`.
        OSError: it cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        read_header(file, os.fstat(file.fileno()).st_size, kinds)
    return npy_format.open_memmap(path, mode="r")


class NpyWriter:
    """Writes a .npy file of examples whose number is known at the end; a context manager.

    numpy leaves room in a header for the first dimension to grow, so it can be written again.

    Args:
        path: the file; it must not be there yet.
        shape: of one example.
        dtype: of the values.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.dtype, self.count = path, shape, dtype, 0
        self._file = path.open("xb")
        self._write_header()

    def append(self, values: np.ndarray) -> None:
        """Adds examples: (n, *shape) of the file's dtype, n ≥ 1."""
        self._file.write(np.ascontiguousarray(values).data)
        self.count += len(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write_header()

    def _write_header(self) -> None:
        fields = {
            "descr": npy_format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.count, *self.shape),
        }
        npy_format.write_array_header_1_0(self._file, fields)
