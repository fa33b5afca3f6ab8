"""Packing a bundle, and unpacking one that may be hostile."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from train.common.errors import ArtifactError
from train.common.files.open import is_regular, open_regular

MAX_FILES = 2_000
MAX_BYTES = 512_000_000
# Weights that pruning set to zero compress well, a file of zeros a thousandfold.
MAX_RATIO = 100
CHUNK_BYTES = 1 << 20
ALWAYS_ALLOWED_BYTES = 16_000_000
# A sparse file of a few bytes unpacks to any size.
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)
REMEDY = "make it with `python -m export --bundle`"


def pack(folder: Path, archive: Path, name: str) -> None:
    """Writes a folder's files as a `.tar.gz` that unpacks into one folder `name`."""
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                tar.add(path, f"{name}/{path.relative_to(folder).as_posix()}", filter=_anonymous)


def unpack(archive: Path, into: Path) -> Path:
    """Unpacks an archive into a new or empty folder and returns the one folder that was in it.

    It is not trusted: only plain files and folders with paths inside `into` are taken, written
    by this code and not with the archive's modes and owners, within limits of number, size and
    ratio. What was unpacked before a refusal is the caller's to remove.

    Raises:
        ArtifactError: it is not a bundle's archive, or something in it is refused.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        size_bytes = archive.stat().st_size if is_regular(archive) else 0
        limit_bytes = min(MAX_BYTES, max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * size_bytes))
        with (
            open_regular(archive) as file,
            gzip.GzipFile(fileobj=file) as content,
            tarfile.open(fileobj=_Limited(content, archive, limit_bytes), mode="r|") as tar,
        ):
            for count, member in enumerate(tar, 1):
                if count > MAX_FILES:
                    raise ArtifactError(f"{archive}: got more than {MAX_FILES} files; {REMEDY}")
                _check(member, archive)
                target = into / member.name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                if source is not None:
                    with target.open("xb") as unpacked:
                        limit_bytes -= _copy(source, unpacked, limit_bytes, archive)
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise ArtifactError(
            f"{archive} cannot be unpacked ({error}), expected a bundle's .tar.gz; {REMEDY}"
        ) from error
    folders = list(into.iterdir())
    if len(folders) != 1 or not folders[0].is_dir():
        raise ArtifactError(
            f"{archive}: got {len(folders)} files or folders, expected one folder; {REMEDY}"
        )
    return folders[0]


def _check(member: tarfile.TarInfo, archive: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise ArtifactError(
            f"{archive}: got the path {member.name!r}, expected one inside the archive's folder; "
            f"nothing of it was kept; {REMEDY}"
        )
    if member.type not in PLAIN or member.issparse():
        raise ArtifactError(
            f"{archive}: {member.name!r} is a link, a device or sparse, expected plain files; "
            f"nothing of it was kept; {REMEDY}"
        )


def _copy(source: IO[bytes], target: IO[bytes], limit_bytes: int, archive: Path) -> int:
    """Copies a file, counting what is written, whatever the archive said; returns the count."""
    written = 0
    while part := source.read(CHUNK_BYTES):
        written += len(part)
        if written > limit_bytes:
            raise _too_large(archive, limit_bytes)
        target.write(part)
    return written


def _too_large(archive: Path, limit_bytes: int) -> ArtifactError:
    return ArtifactError(
        f"{archive}: it unpacks to more than {limit_bytes:,} bytes, expected a bundle; nothing of "
        f"it was kept; {REMEDY}"
    )


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


class _Limited(io.RawIOBase):
    """A stream that ends in an error where an archive unpacks to more than it may."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, archive: Path, limit_bytes: int) -> None:
        self._stream, self._archive = stream, archive
        self._limit_bytes = self._left_bytes = limit_bytes

    def read(self, size: int = -1) -> bytes:
        """Reads as a file does, up to the limit."""
        found = self._stream.read(min(size, self._left_bytes + 1) if size >= 0 else size)
        self._left_bytes -= len(found)
        if self._left_bytes < 0:
            raise _too_large(self._archive, self._limit_bytes)
        return found
