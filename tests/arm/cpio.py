"""Writes a folder as a cpio archive, the format of an initial root file system ("newc").

Its fields are those of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
Everything belongs to root, whoever writes it, and no permission is needed for that.
"""

import os
import stat
from pathlib import Path
from typing import IO


def write_archive(tree: Path, file: IO[bytes]) -> None:
    """Writes all files, folders and symbolic links under `tree`, in the order of their names."""
    entries = sorted(tree.rglob("*"))
    for number, path in enumerate(entries, start=1):
        status = path.lstat()
        content = b""
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        _write_entry(file, str(path.relative_to(tree)), number, status, content)
    _write_entry(file, "TRAILER!!!", 0, None, b"")


def _write_entry(
    file: IO[bytes], name: str, number: int, status: os.stat_result | None, content: bytes
) -> None:
    encoded = os.fsencode(name) + b"\0"
    mode, modified = (status.st_mode, int(status.st_mtime)) if status else (0, 0)
    fields = (number, mode, 0, 0, 1, modified, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    file.write(_padded(header + encoded) + _padded(content))


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
