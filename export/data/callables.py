"""Batches from the user's own Python function, written to disk as they come."""

import importlib
import textwrap
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, closing
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from export.data.checks import check_counts, shape_input
from export.data.wanted import (
    Role,
    Wanted,
    by_role,
    check_complete,
    error_prefix,
    input_roles,
    quoted,
    samples_of,
    target_roles,
)
from export.model.user_code import current_folder_first
from train.common.command.native_output import captured_native_output
from train.common.errors import DataError
from train.common.files.npy import NpyWriter, check_dtype, open_npy
from train.common.samples import Samples

BATCH = "an array, a dict of arrays by the inputs' names, or a tuple (inputs, targets) of these"
MAX_MESSAGE = 400


def open_callable(source: str, wanted: Wanted, folder: Path) -> Samples:
    """Returns the examples in the batches of `package.module:callable`, which is run.

    Args:
        source: imported from the current folder too, and called without arguments.
        wanted: what they are for.
        folder: where the batches are written, one array per input and target.

    Raises:
        DataError: it is not there, raises something, or gives no batches or such that differ.
    """
    writers: dict[Role, NpyWriter] = {}
    # TensorFlow, which the module may import, greets from C++.
    with captured_native_output(), ExitStack() as stack:
        batches = stack.enter_context(closing(_batches(source, wanted)))
        for number, batch in enumerate(batches):
            with error_prefix(f"batch {number}"):
                if not number:
                    for role, values in batch.items():
                        path = folder / f"{len(writers)}.npy"
                        writer = NpyWriter(path, values.shape[1:], values.dtype)
                        writers[role] = stack.enter_context(writer)
                _check_same_arrays(batch, writers)
            for role, values in batch.items():
                writers[role].append(values)
    if not any(writer.count for writer in writers.values()):
        raise DataError("got no batches, expected at least one; let it give some")
    return samples_of({role: open_npy(writer.path) for role, writer in writers.items()})


def _batches(source: str, wanted: Wanted) -> Generator[dict[Role, np.ndarray], None, None]:
    """Yields each batch that the callable gives; what it raises becomes a DataError."""
    try:
        with current_folder_first():
            for number, batch in enumerate(_call(source)):
                with error_prefix(f"batch {number}"):
                    arrays = _named_arrays(batch, wanted)
                yield arrays
    except DataError:
        raise
    # the user's code may raise anything, and a script that is imported may call sys.exit
    except (Exception, SystemExit) as error:
        said = textwrap.shorten(str(error), MAX_MESSAGE, placeholder=" …")
        raise DataError(
            f"raised {type(error).__name__}{': ' if said else ''}{said}; fix it, or the name"
        ) from error


def _call(source: str) -> Iterable[Any]:
    """Returns what the callable gives."""
    module_name, _, attribute = source.partition(":")
    module = importlib.import_module(module_name)
    try:
        function = attrgetter(attribute)(module)
    except AttributeError as error:
        where = getattr(module, "__file__", None) or "built in"
        raise DataError(
            f"got no {attribute!r} in {module_name} ({where}), expected a function of that name"
        ) from error
    if not callable(function):
        raise DataError(f"got {type(function).__name__}, expected a function to call")
    given = function()
    if not isinstance(given, Iterable) or isinstance(given, np.ndarray | Mapping | str):
        raise DataError(
            f"it returned {type(given).__name__}, expected an iterable of batches, each {BATCH}"
        )
    return given


def _named_arrays(batch: object, wanted: Wanted) -> dict[Role, np.ndarray]:
    if isinstance(batch, tuple) and len(batch) != 2:
        raise DataError(f"got a tuple of {len(batch)}, expected {BATCH}")
    inputs, targets = batch if isinstance(batch, tuple) else (batch, {})
    if not isinstance(inputs, Mapping):
        inputs = {wanted.only_input("one array").name: inputs}
    if not isinstance(targets, Mapping):
        targets = {wanted.outputs[0].name: targets}
    given = by_role(inputs, input_roles(wanted)) | by_role(targets, target_roles(wanted))
    check_complete(given, wanted)
    found = {role: _checked_array(role[1], value) for role, value in given.items()}
    check_counts({f"{kind} {name}": len(values) for (kind, name), values in found.items()})
    for spec in wanted.inputs:
        shape_input(found["input", spec.name], spec)
    return found


def _checked_array(key: str, value: Any) -> np.ndarray:
    if not hasattr(value, "__array__"):  # a list may be meant as an array or as several
        raise DataError(f"{key!r}: got {type(value).__name__}, expected {BATCH}")
    array = np.asarray(value)
    with error_prefix(repr(key)):
        check_dtype(array.dtype)
    if not array.ndim:
        raise DataError(f"{key!r}: got a single value, expected examples in the first dimension")
    return array


def _check_same_arrays(batch: Mapping[Role, np.ndarray], writers: Mapping[Role, NpyWriter]) -> None:
    """Checks that a batch holds what the first one does."""
    if batch.keys() != writers.keys():
        got, expected = (quoted(" ".join(role) for role in part) for part in (batch, writers))
        raise DataError(f"got {got}, expected {expected} as in the first batch")
    for (kind, name), writer in writers.items():
        values = batch[kind, name]
        if (values.shape[1:], values.dtype) != (writer.shape, writer.dtype):
            raise DataError(
                f"{kind} {name!r}: got {values.dtype} of shape {values.shape[1:]} each, expected "
                f"{writer.dtype} of {writer.shape} as in the first batch"
            )
