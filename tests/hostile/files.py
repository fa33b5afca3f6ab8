"""What may lie where a file is looked for."""

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Change = Callable[[Path], None]


def fifo(path: Path) -> None:
    """A pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    """A folder."""
    path.unlink()
    path.mkdir()


def device(path: Path) -> None:
    """A device without an end."""
    path.unlink()
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    """A link to itself."""
    path.unlink()
    path.symlink_to(path)


def vanished(path: Path) -> None:
    """A link to nothing."""
    path.unlink()
    path.symlink_to(path.with_name("gone"))


def process_memory(path: Path) -> None:
    """A file whose size is not its length."""
    path.unlink()
    path.symlink_to("/proc/self/maps")


def written(content: bytes) -> Change:
    """Returns what writes these bytes."""

    def change(path: Path) -> None:
        path.write_bytes(content)

    return change


FILES: dict[str, Change] = {
    "pipe": fifo,
    "folder": folder,
    "device": device,
    "loop": loop,
    "vanished": vanished,
    "process memory": process_memory,
    "empty": written(b""),
    "text": written(b"hello"),
    "zeros": written(bytes(1000)),
    "gzip of zeros": written(gzip.compress(bytes(10_000_000))),
    "nested": written(b"[" * 100_000),
    "UTF-16": written('{"schema_version": 1}'.encode("utf-16")),
    "half a character": written(b'{"schema_version": 1, "a": "\\ud800"}'),
    "infinite": written(b'{"schema_version": 1, "a": 1e999}'),
    "NaN": written(b'{"schema_version": 1, "a": NaN}'),
    "twice": written(b'{"schema_version": 1, "schema_version": 1}'),
    "long number": written(b'{"schema_version": 1, "a": ' + b"9" * 5_000 + b"}"),
    "true version": written(b'{"schema_version": true}'),
    "a list": written(b"[]"),
}
VALUES: tuple[object, ...] = (
    *(None, True, -1, 0, 1.5, 10**400, 1e300, "", "x", "\x00", "\x1b[2J", "../x", "a" * 5_000),
    *([], [[]], [None], {}, {"x": None}, {"": {}}),
)


def in_json(name: str, value: object, seal: Callable[[Mapping[str, Any]], Any]) -> Change:
    """Returns what gives a field another value and seals the file again."""

    def change(path: Path) -> None:
        content = json.loads(path.read_bytes())
        content[name] = value
        path.write_text(json.dumps(seal(content)))

    return change


def _members(**arrays: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in arrays.items():
            file.writestr(f"{name}.npy", content)
    return archive.getvalue()


def _npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def _encrypted(content: bytes) -> bytes:
    """Sets the flag of encryption of every member."""
    found = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = found.find(mark)
        while at >= 0:
            found[at + offset] |= 1
            at = found.find(mark, at + 4)
    return bytes(found)


ABOUT = json.dumps({"outputs": ["a"]})
ARCHIVES: dict[str, bytes] = {
    "no members": _members(),
    "pickle": _members(about=_npy(np.array([{"a": print}], object))),
    "lies of its size": _members(about=_npy("x"), output0=_npy(np.zeros(3))[:-8]),
    "text that is no JSON": _members(about=_npy("x")),
    "lacks fields": _members(about=_npy(ABOUT)),
    "encrypted": _encrypted(_members(about=_npy(ABOUT))),
    "a member of zeros": _members(about=bytes(10_000_000)),
    "header of terabytes": _members(
        about=_npy("x")[:128].replace(b"'shape': ()", b"'shape': (9999999999,)")
    ),
}
