"""Arrays by name in an .npz archive, as examples."""

from pathlib import Path

import numpy as np

from export.data.checks import check_counts
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
from train.common.files.npz import Npz, check_disk_space, open_npz
from train.common.samples import Samples

CLASS_NAMES = "class_names"


def open_archive(path: Path, wanted: Wanted, folder: Path) -> Samples:
    """Returns the arrays of an .npz, unpacked into `folder`.

    Raises:
        DataError: it is not a complete archive, holds something else than is wanted, or more than
            fits on the disk.
        OSError: it cannot be read.
    """
    with open_npz(path) as archive:
        return _open_members(archive, wanted, folder)


def _open_members(archive: Npz, wanted: Wanted, folder: Path) -> Samples:
    members, roles = dict.fromkeys(archive.members), all_roles(wanted)
    named = CLASS_NAMES in members and CLASS_NAMES not in roles
    if named:
        del members[CLASS_NAMES]
    found = by_role({key: key for key in members}, roles)
    check_complete(found, wanted)
    headers = {}
    for key in found.values():
        with error_prefix(repr(key)):
            headers[key] = archive.header(key)
    check_counts({key: header.shape[0] for key, header in headers.items()})
    check_disk_space(headers.values(), folder)
    arrays: dict[Role, np.ndarray] = {}
    for number, (role, key) in enumerate(found.items()):
        with error_prefix(repr(key)):
            arrays[role] = archive.unpack(key, folder / f"{number}.npy")
    return samples_of(arrays, _class_names(archive) if named else ())


def _class_names(archive: Npz) -> tuple[str, ...]:
    with error_prefix(repr(CLASS_NAMES)):
        names = archive.text(CLASS_NAMES)
    if names.ndim != 1:
        raise DataError(f"got {CLASS_NAMES} of shape {names.shape}, expected one name per class")
    return tuple(names.tolist())
