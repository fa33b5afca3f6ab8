"""Reading and writing what the stages hand to each other: whole files, hashed, never half.

Everything that lands in the artifacts folder goes through `staging` and `publish`: written to a
staging folder on the same file system, then renamed.
"""

import hashlib
import json
import os
import shutil
import signal
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from train.common.errors import ArtifactError

STAGING_PREFIX = ".staging-"
_open_staging: set[str] = set()


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
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


@contextmanager
def staging(artifacts: Path, option: str = "--artifacts") -> Iterator[Path]:
    """Yields an empty folder inside `artifacts`, removed afterwards whatever happens.

    Staging folders that killed processes left behind are removed too. `option` is the one that
    names the folder.

    Raises:
        ArtifactError: `artifacts` cannot be created or written to.
    """
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        for leftover in artifacts.glob(f"{STAGING_PREFIX}*"):
            if not _is_running(leftover.name.removeprefix(STAGING_PREFIX).split("-")[0]):
                shutil.rmtree(leftover, ignore_errors=True)
        folder = tempfile.mkdtemp(prefix=f"{STAGING_PREFIX}{os.getpid()}-", dir=artifacts)
    except OSError as error:
        raise ArtifactError(
            f"cannot write to the folder {artifacts}: {error.strerror}; "
            f"give a writable one with {option}"
        ) from error
    _open_staging.add(folder)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _open_staging.discard(folder)


def remove_open_staging() -> None:
    """Removes what `staging` has open, for a process that is about to end abruptly."""
    for folder in _open_staging:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: list[Path], artifacts: Path) -> None:
    """Gives staged files their final names in `artifacts`, in order, with interrupts held back.

    Each file is on disk in full before the first rename, so every name always holds a whole
    file, the old or the new.
    """
    for path in staged:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    with interrupts_held_back():
        for path in staged:
            path.replace(artifacts / path.name)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes an object as indented JSON; numbers must be finite (`null` says unknown).

    A list or an array of plain values takes one line, so that raw samples stay readable.
    """
    with path.open("w") as file:
        file.writelines(_rendered(content, "\n"))
        file.write("\n")


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a compressed `.npz` of arrays of any size, whatever their names are."""
    # not np.savez(**…), whose own parameter's name an array might have
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.save(file, values, allow_pickle=False)


def content_sha256(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a JSON object, whatever the order of its fields and its layout."""
    text = json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


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


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


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
        ArtifactError: the file is missing, unreadable, not a JSON object, or of another
            version; the message ends with `remedy`.
    """
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}; {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error}); {remedy}") from error
    found = content.get("schema_version") if isinstance(content, dict) else None
    if found != schema_version:
        raise ArtifactError(
            f"{path} has schema_version {found!r}, expected {schema_version}; {remedy}"
        )
    return dict(content)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Lets SIGINT and SIGTERM wait until the block is done.

    By handlers, not by the signal mask: TensorFlow's threads leave these signals open, and
    Python would still run the handler in the main thread.
    """
    pending: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, frame: pending.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if pending:
            raise KeyboardInterrupt


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True
