import io
import stat
import zipfile
from pathlib import Path

import pytest

from tests.arm.cpio import write_archive
from tests.arm.packages import Package
from tests.arm.root import cache_folder, key_of, unpack_wheels
from train.common.errors import ToolkitError

HEADER_BYTES = 110


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content by name, read by the offsets of the kernel's description."""
    found, start = {}, 0
    while start < len(archive):
        assert archive[start : start + 6] == b"070701"
        fields = [int(archive[start + 6 + 8 * n : start + 14 + 8 * n], 16) for n in range(13)]
        mode, owner, group, size, length = (fields[n] for n in (1, 2, 3, 6, 11))
        assert owner == group == 0
        name = archive[start + HEADER_BYTES : start + HEADER_BYTES + length - 1].decode()
        content = -(-(start + HEADER_BYTES + length) // 4) * 4
        found[name] = (mode, archive[content : content + size])
        start = -(-(content + size) // 4) * 4
    return found


def test_an_archive_holds_files_folders_and_links(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_bytes(b"12345")
    (tmp_path / "bin" / "tool").chmod(0o755)
    (tmp_path / "sh").symlink_to("bin/tool")
    file = io.BytesIO()
    write_archive(tmp_path, file)
    found = entries(file.getvalue())
    assert list(found) == ["bin", "bin/tool", "sh", "TRAILER!!!"]
    assert stat.S_ISDIR(found["bin"][0])
    assert found["bin/tool"] == (stat.S_IFREG | 0o755, b"12345")
    assert stat.S_ISLNK(found["sh"][0])
    assert found["sh"][1] == b"bin/tool"


def test_the_root_is_built_anew_when_the_lock_or_a_package_changes(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("numpy==2.4.6")
    old, new = (Package(name="libc6", file=f"libc6_2.36-{n}_arm64.deb") for n in (9, 10))
    first = key_of(lock, (old,))
    assert key_of(lock, (old,)) == first
    assert key_of(lock, (new,)) != first
    lock.write_text("numpy==2.4.7")
    assert key_of(lock, (old,)) != first


def test_wheels_are_unpacked_but_not_what_belongs_elsewhere(tmp_path: Path) -> None:
    good, odd = tmp_path / "good-1-py3-none-any.whl", tmp_path / "odd-1-py3-none-any.whl"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("good/__init__.py", "")
        archive.writestr("good-1.dist-info/METADATA", "")
    with zipfile.ZipFile(odd, "w") as archive:
        archive.writestr("odd-1.data/scripts/odd", "")
    unpack_wheels((good,), tmp_path / "packages")
    assert sorted(path.name for path in (tmp_path / "packages").iterdir()) == [
        "good",
        "good-1.dist-info",
    ]
    with pytest.raises(ToolkitError, match=r"odd-1-py3.*got odd-1.data/scripts/odd, expected"):
        unpack_wheels((odd,), tmp_path / "packages")


def test_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "edge-export" / "arm"
