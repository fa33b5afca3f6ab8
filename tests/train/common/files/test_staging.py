import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest

from train.common.errors import ArtifactError
from train.common.files.staging import (
    NO_LOCKS,
    PUBLISHING_PREFIX,
    STAGING_PREFIX,
    check_places,
    finish_publishing,
    publish,
    remove_open_folders,
    staging,
)


class Killed(BaseException):
    """Stands for the death of the process at a call; what comes after must not run."""


def forked(work: Callable[[], None]) -> int:
    """Runs something in a forked process, which does not clean up; returns its exit code."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            work()
            os._exit(0)
        os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_staging_removes_itself_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), staging(tmp_path) as staged:
        (staged / "half").mkdir()
        (staged / "half").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_staging_clears_up_after_the_dead_and_keeps_what_is_its_own(tmp_path: Path) -> None:
    def die() -> None:
        with staging(tmp_path):
            os._exit(7)

    assert forked(die) == 7
    (dead,) = tmp_path.glob(f"{STAGING_PREFIX}*")
    with staging(tmp_path) as outer:
        assert not dead.exists()
        with staging(tmp_path) as inner:
            assert outer.is_dir()
            assert inner.is_dir()
        assert outer.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_leaves_at_once_leaves_nothing_behind(tmp_path: Path) -> None:
    def leave() -> None:
        with staging(tmp_path):
            remove_open_folders()
            os._exit(7)

    assert forked(leave) == 7
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_told_and_the_first_keeps_its_files(tmp_path: Path) -> None:
    """A lock of the file system, for process ids mean nothing in another container."""
    told: SimpleQueue[str] = multiprocessing.SimpleQueue()

    def write_too() -> None:
        from train.common.files import staging as module

        module._locks.clear()  # as in a process that is no child of this one
        module._open_folders.clear()
        try:
            with staging(tmp_path, "--reports"):
                pass
        except ArtifactError as error:
            told.put(str(error))

    with staging(tmp_path) as staged:
        assert forked(write_too) == 0
        assert staged.is_dir()
    error = told.get()
    assert error.startswith(f"another run is writing to the folder {tmp_path}: process ")
    assert f"process {os.getpid()} on " in error
    assert error.endswith("wait until it is done, or give another folder with --reports")
    assert forked(write_too) == 0
    assert told.empty()


@pytest.mark.parametrize("number", NO_LOCKS)
def test_without_locks_only_what_is_old_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    old, new = (tmp_path / f"{STAGING_PREFIX}{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    with staging(tmp_path):
        assert not old.exists()
        assert new.exists()


def test_staging_in_an_unwritable_place_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ArtifactError, match=r"cannot write .* give a writable one with --artifacts"
    ):
        staging(tmp_path / "file").__enter__()


def staged_files(tmp_path: Path) -> list[Path]:
    """New files `a`, `b` and a folder `c`, to be published over old ones."""
    staged = tmp_path / "staged"
    for parent, text in ((tmp_path, "old"), (staged, "new")):
        (parent / "c").mkdir(parents=True)
        for name in ("a", "b", "c/d"):
            (parent / name).write_text(text)
    return [staged / name for name in ("a", "b", "c")]


def texts(tmp_path: Path) -> set[str]:
    return {(tmp_path / name).read_text() for name in ("a", "b", "c/d")}


def test_publish_replaces_all_and_holds_an_interrupt_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = staged_files(tmp_path)
    replace = Path.replace

    def replace_and_interrupt(self: Path, target: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(files, tmp_path)
    assert texts(tmp_path) == {"new"}


def test_wherever_publishing_dies_the_next_command_has_all_old_or_all_new_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    for last in range(20):
        folder = tmp_path / str(last)
        folder.mkdir()
        files = staged_files(folder)
        calls = 0

        def count(*arguments: object, last: int = last) -> None:
            nonlocal calls
            calls += 1
            if calls > last:
                raise Killed

        with monkeypatch.context() as patch:
            for owner, name in (
                *((Path, method) for method in ("replace", "rename", "rmdir")),
                *((shutil, function) for function in ("move", "rmtree")),
            ):
                real = getattr(owner, name)

                def dying(
                    *arguments: object, real: Callable[..., object] = real, **options: object
                ) -> object:
                    count()
                    return real(*arguments, **options)

                patch.setattr(owner, name, dying)
            with suppress(Killed):
                publish(files, folder)
        was_begun = any(folder.glob(f"{PUBLISHING_PREFIX}*"))
        finish_publishing(folder)
        assert len(texts(folder)) == 1, f"killed at call {last}"
        assert texts(folder) == {"new"} or not was_begun
        with staging(folder):
            pass
        left = {path.name for path in folder.iterdir()}
        assert left == {"a", "b", "c", "staged"}
        if calls <= last:
            break
    assert calls >= 8


def test_a_folder_in_the_place_of_a_file_is_noticed(tmp_path: Path) -> None:
    check_places(tmp_path, ["x.json"])
    (tmp_path / "x.json").mkdir()
    with pytest.raises(ArtifactError, match=r"got a folder at .*x\.json, .* with --reports"):
        check_places(tmp_path, ["x.json"], "--reports")
