"""Files that may be anything: opened if they are regular ones, read no further than they may be.

What comes from elsewhere may be a pipe that nobody writes to, a device without an end, or JSON
that Python's own reader would accept and nothing after it can use.
"""

import errno
import json
import math
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

MAX_JSON_BYTES = 500_000_000  # a results file with the raw samples of many rows
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> BufferedReader:
    """Returns a regular file, opened for reading; waits for nothing.

    Raises:
        OSError: it is not there, not readable, or something else than a regular file.
    """
    try:
        _check_regular(path, path.stat().st_mode)  # to open a device may already do something
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except ValueError as error:  # a name with a null character
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")  # noqa: PTH123 - the caller closes it
    except BaseException:
        os.close(descriptor)
        raise


def is_there(path: Path) -> bool:
    """Returns whether anything is there, whatever its name is."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def is_regular(path: Path) -> bool:
    """Returns whether a regular file is there, whatever its name is."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Returns the bytes of a regular file.

    Raises:
        OSError: as in `open_regular`, or it is larger than `max_bytes`.
    """
    with open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        reason = f"it has more than {max_bytes:,} bytes"
        raise OSError(errno.EINVAL, reason, str(path))
    return content


def parse_json(content: bytes | str) -> Any:
    """Returns what JSON text holds: finite numbers, every key once, text that can be written.

    Raises:
        ValueError: it is something else.
    """
    text = content.decode() if isinstance(content, bytes) else content
    try:
        found = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_twins,
        )
        if "\\u" in text:  # the only way to half a character; a byte of a path is none
            json.dumps(found, ensure_ascii=False).encode(errors="surrogateescape")
    except RecursionError as error:
        raise ValueError(str(error)) from error
    return found


def _check_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for check, name in KINDS if check(mode)), "something else")
        if kind == "a folder":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, f"it is {kind}, expected a regular file", str(path))


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
