"""Arrays by name in an .npz archive, each looked at before any of its values is unpacked.

The archive's own names never become names of files.
"""

import errno
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from train.common.errors import DataError
from train.common.files.npy import NUMBERS, TEXT, Header, open_npy, read_header
from train.common.files.open import open_regular

MAX_TEXT_BYTES = 1 << 24
MAX_CODE_POINT = 0x10FFFF


@dataclass(frozen=True, kw_only=True)
class Npz:
    """An open archive; `members` are its arrays by their names."""

    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]

    def header(self, name: str, kinds: str = NUMBERS) -> Header:
        """Returns the header of an array; raises DataError as `read_header` does."""
        info = self._info(name)
        with self.archive.open(info) as packed:
            return read_header(packed, info.file_size, kinds)

    def read(self, name: str, kinds: str = NUMBERS) -> np.ndarray:
        """Returns an array, read into memory."""
        self.header(name, kinds)
        with self.archive.open(self._info(name)) as packed:
            found: np.ndarray = npy_format.read_array(packed, allow_pickle=False)
        return found

    def text(self, name: str) -> np.ndarray:
        """Returns an array of text, at most 16 MB of it."""
        header = self.header(name, TEXT)
        if header.size_bytes > MAX_TEXT_BYTES:
            raise DataError(f"got {header.size_bytes:,} bytes of text, expected a few lines")
        found = self.read(name, TEXT)
        codes = np.atleast_1d(found).view(f"{found.dtype.str[0]}u4")
        if codes.max() > MAX_CODE_POINT:
            raise DataError("got what is not text; write it again")
        return found

    def unpack(self, name: str, target: Path) -> np.ndarray:
        """Returns an array of numbers, unpacked to a file and mapped from there."""
        info = self._info(name)
        self.header(name)
        target.unlink(missing_ok=True)  # what is mapped from an earlier one stays as it is
        with self.archive.open(info) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file)
            missing = info.file_size - file.tell()
        if missing:
            raise DataError(f"ends {missing:,} bytes before it should; write the .npz again")
        return open_npy(target)

    def _info(self, name: str) -> zipfile.ZipInfo:
        if name not in self.members:
            raise DataError(f"got no array {name!r}; write the .npz again")
        return self.members[name]


@contextmanager
def open_npz(path: Path) -> Iterator[Npz]:
    """Yields an archive whose members are arrays, every name once, none of them encrypted.

    Raises:
        DataError: it is something else, or damaged; while the archive is open, too.
        OSError: it cannot be read, or is not a regular file.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            yield Npz(archive=archive, members=_members(archive))
    # zipfile on damaged archives; RuntimeError is for encrypted members
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error),
        *(EOFError, ValueError, RuntimeError, OverflowError, NotImplementedError),
    ) as error:
        raise DataError(
            f"is not a complete .npz file ({error}); write it with numpy.savez"
        ) from error


def check_disk_space(headers: Iterable[Header], folder: Path) -> None:
    """Raises OSError, as a full disk does, unless arrays fit on the disk of a folder."""
    needed = sum(header.size_bytes for header in headers)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC, f"arrays of {needed:,} bytes do not fit into the {free:,} that are free"
        )


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key == info.filename or key in members:
            raise DataError(
                f"got the member {info.filename!r}{' twice' if key in members else ''}, expected "
                ".npy files of different names; write it with numpy.savez"
            )
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"got compression {info.compress_type} of {key!r}, expected none or deflate; "
                "write it with numpy.savez or numpy.savez_compressed"
            )
        members[key] = info
    return members
