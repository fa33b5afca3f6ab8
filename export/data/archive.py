"""Arrays by name in an .npz archive, unpacked to disk a piece at a time.

The archive's own names never become names of files.
"""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from export.data.checks import check_counts
from export.data.npy import NUMBERS, TEXT, Header, open_npy, read_header
from export.data.wanted import (
    Role,
    Wanted,
    all_roles,
    by_role,
    check_complete,
    error_prefix,
    samples_of,
)
from train.common.errors import DataError
from train.common.samples import Samples

CLASS_NAMES = "class_names"
MAX_CLASS_NAMES_BYTES = 1 << 24
MAX_CODE_POINT = 0x10FFFF


def open_archive(path: Path, wanted: Wanted, folder: Path) -> Samples:
    """Returns the arrays of an .npz, unpacked into `folder`.

    Raises:
        DataError: it is not a complete archive, holds something else than is wanted, or more than
            fits on the disk.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _open_members(archive, wanted, folder)
    # zipfile on damaged archives; RuntimeError is for encrypted members
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error),
        *(EOFError, ValueError, RuntimeError, OverflowError),
    ) as error:
        raise DataError(
            f"is not a complete .npz file ({error}); write it with numpy.savez"
        ) from error


def _open_members(archive: zipfile.ZipFile, wanted: Wanted, folder: Path) -> Samples:
    members, roles = _members(archive), all_roles(wanted)
    class_names = members.pop(CLASS_NAMES, None) if CLASS_NAMES not in roles else None
    found = by_role(members, roles)
    check_complete(found, wanted)
    headers = {_key(info): _header(archive, info) for info in found.values()}
    check_counts({key: header.shape[0] for key, header in headers.items()})
    _check_disk_space(headers.values(), folder)
    arrays: dict[Role, np.ndarray] = {}
    for number, (role, info) in enumerate(found.items()):
        with error_prefix(repr(_key(info))):
            arrays[role] = open_npy(_unpack(archive, info, folder / f"{number}.npy"))
    return samples_of(arrays, _class_names(archive, class_names, folder) if class_names else ())


def _key(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = _key(info)
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


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, kinds: str = NUMBERS) -> Header:
    with error_prefix(repr(_key(info))), archive.open(info) as packed:
        return read_header(packed, info.file_size, kinds)


def _check_disk_space(headers: Iterable[Header], folder: Path) -> None:
    needed = sum(header.size_bytes for header in headers)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"got arrays of {needed:,} bytes, expected no more than the {free:,} that are free on "
            "the disk; free some or give fewer examples"
        )


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> Path:
    with archive.open(info) as packed, target.open("xb") as file:
        shutil.copyfileobj(packed, file)
        missing = info.file_size - file.tell()
    if missing:
        raise DataError(f"ends {missing:,} bytes before it should; write the .npz again")
    return target


def _class_names(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> tuple[str, ...]:
    header = _header(archive, info, TEXT)
    if len(header.shape) != 1 or header.size_bytes > MAX_CLASS_NAMES_BYTES:
        raise DataError(f"got {CLASS_NAMES} of shape {header.shape}, expected one name per class")
    names = np.array(open_npy(_unpack(archive, info, folder / f"{CLASS_NAMES}.npy"), TEXT))
    if names.view(f"{names.dtype.str[0]}u4").max() > MAX_CODE_POINT:
        raise DataError(f"got {CLASS_NAMES} that are not text; write them again")
    return tuple(names.tolist())
