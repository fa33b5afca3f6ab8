"""Writing to the artifacts folder: one run at a time, whole files, all of them or none.

Everything that lands there goes through `staging` and `publish`: written to a staging folder on
the same file system, then renamed. Files that belong together are first gathered in a folder of
their own; from then on whoever comes next finishes what a run that died has begun.
"""

import errno
import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from train.common.command.interrupts import interrupts_held_back
from train.common.errors import ArtifactError, reason_and_remedy

STAGING_PREFIX = ".staging-"
PUBLISHING_PREFIX = ".publishing-"
LOCK_FILE = ".edge-export.lock"
# Where the file system knows no locks, leftovers of this age are taken to be nobody's.
ABANDONED_S = 7 * 86_400
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

_open_folders: list[Path] = []
# The descriptor of each folder that this process has locked; None where there are no locks.
_locks: dict[Path, int | None] = {}


@contextmanager
def staging(artifacts: Path, option: str = "--artifacts") -> Iterator[Path]:
    """Yields an empty folder inside `artifacts`, removed afterwards whatever happens.

    Meanwhile no other process can write to `artifacts`. What processes that died left behind is
    put right first: staging folders are removed, begun publishing is finished. `option` is the
    one that names the folder.

    Raises:
        ArtifactError: `artifacts` cannot be created or written to, or another process does.
    """
    key, locked_here = artifacts.resolve(), False
    try:
        try:
            artifacts.mkdir(parents=True, exist_ok=True)
            if key not in _locks:
                _locks[key], locked_here = _lock(key, option), True
                _clear_up(key, only_abandoned=_locks[key] is None)
            folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=artifacts))
        except OSError as error:
            reason, remedy = reason_and_remedy(error, "give a writable one")
            raise ArtifactError(
                f"cannot write to the folder {artifacts}: {reason}; {remedy} with {option}"
            ) from error
        with _removed_afterwards(folder):
            yield folder
    finally:
        if locked_here:
            _unlock(key)


@contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Yields an empty folder, the system's or in `parent`, removed however the command ends."""
    with _removed_afterwards(Path(tempfile.mkdtemp(prefix=prefix, dir=parent))) as folder:
        yield folder


@contextmanager
def _removed_afterwards(folder: Path) -> Iterator[Path]:
    _open_folders.append(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _open_folders.remove(folder)


def remove_open_folders() -> None:
    """Removes the folders that are open here, for a process that is about to end abruptly."""
    for folder in _open_folders:
        shutil.rmtree(folder, ignore_errors=True)
    for key in list(_locks):
        _unlock(key)


def finish_publishing(artifacts: Path) -> None:
    """Finishes what a process that died while it published left half done, if there is any.

    Raises:
        ArtifactError: `artifacts` cannot be written to, or another process does.
    """
    if any(artifacts.glob(f"{PUBLISHING_PREFIX}*")):
        with staging(artifacts):
            pass


def clear_up(artifacts: Path) -> None:
    """Puts right what a process that died there left, unless another one writes there by now."""
    with suppress(ArtifactError):
        if (artifacts / LOCK_FILE).exists() or any(artifacts.glob(f"{STAGING_PREFIX}*")):
            with staging(artifacts):
                pass


def publish(staged: list[Path], artifacts: Path) -> None:
    """Gives staged files and folders their final names in `artifacts`, with interrupts held back.

    Each file is on disk in full before, so every name always holds a whole file. Several files
    come all or none: once they are in a folder of their own, `staging` finishes what is missing.
    """
    for path in staged:
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    with interrupts_held_back():
        gathered = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=artifacts))
        try:
            for path in staged:
                shutil.move(path, gathered / path.name)  # may be on another file system
        except OSError:
            shutil.rmtree(gathered, ignore_errors=True)
            raise
        begun = gathered.with_name(gathered.name.replace(STAGING_PREFIX, PUBLISHING_PREFIX))
        _finish(gathered.rename(begun), [path.name for path in staged])


def check_places(folder: Path, names: Iterable[str], option: str = "--artifacts") -> None:
    """Checks before long work that files of some names can be written; `option` is the folder's.

    Raises:
        ArtifactError: a folder lies where one of them is to be.
    """
    for name in names:
        if (folder / name).is_dir():
            raise ArtifactError(
                f"got a folder at {folder / name}, expected a file or nothing; move it, or give "
                f"another folder with {option}"
            )


def _finish(begun: Path, names: Iterable[str]) -> None:
    for name in names:
        made, target = begun / name, begun.parent / name
        if made.is_dir() and target.is_dir():
            older = tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=begun.parent)
            target.replace(older)
            made.replace(target)
            shutil.rmtree(older, ignore_errors=True)
        else:
            made.replace(target)
    begun.rmdir()


def _clear_up(artifacts: Path, *, only_abandoned: bool) -> None:
    """Puts right what dead processes left; only what is old where there may be living ones."""
    for prefix in (STAGING_PREFIX, PUBLISHING_PREFIX):
        for leftover in artifacts.glob(f"{prefix}*"):
            if leftover in _open_folders:
                continue
            with suppress(FileNotFoundError):
                age_s = time.time() - leftover.stat().st_mtime
                if only_abandoned and age_s < ABANDONED_S:
                    continue
                if prefix == PUBLISHING_PREFIX:
                    _finish(leftover, sorted(path.name for path in leftover.iterdir()))
                else:
                    shutil.rmtree(leftover, ignore_errors=True)


def _lock(artifacts: Path, option: str) -> int | None:
    """Locks a folder for this process; returns the descriptor, None where locks are unknown.

    The file system holds the lock, so it ends with the process, and is seen by those in other
    containers and on other machines, where process ids mean nothing.
    """
    path = artifacts / LOCK_FILE
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_current = os.fstat(lock).st_ino == path.stat().st_ino
        except FileNotFoundError:
            is_current = False
        except BlockingIOError:
            holder = os.read(lock, 300).decode(errors="replace").strip() or "another one"
            os.close(lock)
            raise ArtifactError(
                f"another run is writing to the folder {artifacts}: {holder}; wait until it is "
                f"done, or give another folder with {option}"
            ) from None
        except OSError as error:
            os.close(lock)
            if error.errno not in NO_LOCKS:
                raise
            return None
        if is_current:
            os.ftruncate(lock, 0)
            with suppress(OSError):  # of a full disk: who holds it is said, not needed
                os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            return lock
        os.close(lock)  # whoever had it has removed the file


def _unlock(artifacts: Path) -> None:
    lock = _locks.pop(artifacts)
    with suppress(OSError):
        (artifacts / LOCK_FILE).unlink(missing_ok=True)
    if lock is not None:
        os.close(lock)
