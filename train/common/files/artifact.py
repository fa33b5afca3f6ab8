"""Hashes of what the stages hand to each other, and its JSON."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from train.common.errors import ArtifactError, reason_and_remedy
from train.common.files.open import MAX_JSON_BYTES, open_regular, parse_json, read_bounded


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_sha256(*arrays: np.ndarray) -> str:
    """Returns one SHA-256 over the dtypes, shapes and bytes of arrays, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def package_versions(*names: str) -> dict[str, str]:
    """Returns the installed versions of distributions, asked without importing them."""
    from importlib import metadata  # slow to import, and a benchmark's worker has no use for it

    return {name: metadata.version(name) for name in names}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes an object as indented JSON; numbers must be finite (`null` says unknown).

    A list or an array of plain values takes one line, so that raw samples stay readable.
    """
    # a lone surrogate, of a path that is no text, becomes its own JSON escape
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(_rendered(content, "\n"))
        file.write("\n")


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a compressed `.npz` of arrays of any size, whatever their names are."""
    # not np.savez(**…), whose own parameter's name an array might have
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.save(file, values, allow_pickle=False)


def new_array(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Returns a new `.npy` file of float32, mapped to be filled in.

    Its space on the disk is taken at once: where that is full later, writing to the mapped file
    would kill the process.
    """
    found = npy_format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return found


def content_sha256(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a JSON object, whatever the order of its fields and its layout."""
    text = json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a JSON object with `seal`, the hash of all its other fields.

    A seal shows that a file was edited after it was written. It is no signature: whoever
    forges the content can forge the seal.
    """
    fields = {name: value for name, value in content.items() if name != "seal"}
    return {**fields, "seal": content_sha256(fields)}


def is_sealed(content: Mapping[str, Any]) -> bool:
    """Returns whether a JSON object is as it was when it was sealed."""
    return bool(content.get("seal") == sealed(content)["seal"])


def _rendered(value: Any, line: str) -> Iterator[str]:
    """Yields the text piece by piece; `line` ends a line and indents the next."""
    nested = (Mapping, list, tuple, np.ndarray)
    inner = line + "  "
    if isinstance(value, Mapping) and value:
        for number, (key, item) in enumerate(value.items()):
            yield f"{',' if number else '{'}{inner}{json.dumps(key)}: "
            yield from _rendered(item, inner)
        yield line + "}"
    elif isinstance(value, list | tuple) and any(isinstance(item, nested) for item in value):
        for number, item in enumerate(value):
            yield f"{',' if number else '['}{inner}"
            yield from _rendered(item, inner)
        yield line + "]"
    else:
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        yield json.dumps(plain, allow_nan=False, ensure_ascii=False)


def read_json(path: Path, *, schema_version: int, remedy: str) -> dict[str, Any]:
    """Reads a JSON object that carries `schema_version`.

    Raises:
        ArtifactError: the file is missing, unreadable, not a regular one, not a JSON object as
            `parse_json` takes it, or of another version; the message ends with `remedy`.
    """
    try:
        content = parse_json(read_bounded(path, MAX_JSON_BYTES))
    except OSError as error:
        reason, remedy = reason_and_remedy(error, remedy)
        raise ArtifactError(f"{path}: {reason}; {remedy}") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON ({error}); {remedy}") from error
    found = content.get("schema_version") if isinstance(content, dict) else None
    if found != schema_version or type(found) is not int:
        raise ArtifactError(
            f"{path} has schema_version {str(found)[:20]}, expected {schema_version}; {remedy}"
        )
    return dict(content)
