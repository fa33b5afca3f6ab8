"""Archives that mean harm, or are none, are refused in one line and write nothing outside."""

import io
import tarfile
from pathlib import Path

import pytest

from export.deploy.bundle import archive as module
from export.deploy.bundle.archive import pack, unpack
from train.common.errors import ArtifactError


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0
) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, target, size
    return found


def write(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for found in members:
            tar.addfile(found, io.BytesIO(bytes(found.size)) if found.size else None)
    return path


def refused(tmp_path: Path, *members: tarfile.TarInfo) -> str:
    """Unpacks an archive of these and returns why that failed; nothing may be outside."""
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    path = write(tmp_path / "x.tar.gz", *members)
    with pytest.raises(ArtifactError) as caught:
        unpack(path, into)
    assert [
        found.name for found in tmp_path.iterdir() if found.name not in ("deep", "x.tar.gz")
    ] == []
    assert [found.name for found in (tmp_path / "deep").iterdir()] == ["into"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a/..", "a\\..\\x"])
def test_paths_that_lead_out(tmp_path: Path, name: str) -> None:
    assert "expected one inside the archive's folder" in refused(tmp_path, member(name))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    said = refused(tmp_path, member("edge/x", kind, "/etc/passwd"))
    assert "'edge/x' is a link, a device or sparse" in said


def test_a_sparse_file_of_a_few_bytes_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    sparse = member("edge/x")
    sparse.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": "3200000000"}
    said = refused(tmp_path, sparse)
    assert "'edge/x' is a link, a device or sparse" in said
    assert not (tmp_path / "deep" / "into" / "edge" / "x").exists()


def test_what_is_written_is_counted_whatever_the_header_says(tmp_path: Path) -> None:
    written = io.BytesIO()
    with pytest.raises(ArtifactError, match="unpacks to more than 10 bytes"):
        module._copy(io.BytesIO(bytes(11)), written, 10, tmp_path)
    assert written.getvalue() == b""


def test_a_file_through_a_link(tmp_path: Path) -> None:
    said = refused(
        tmp_path, member("edge/out", tarfile.SYMTYPE, "../.."), member("edge/out/x", size=3)
    )
    assert "is a link, a device or sparse" in said


def test_a_bomb(tmp_path: Path) -> None:
    said = refused(tmp_path, member("edge/zeros", size=50_000_000))
    assert "unpacks to more than 16,000,000 bytes" in said


def test_a_bomb_in_a_header(tmp_path: Path) -> None:
    """A long name is read into memory before any file is seen."""
    path = member("edge/zeros", tarfile.GNUTYPE_LONGNAME, size=50_000_000)
    assert "unpacks to more than 16,000,000 bytes" in refused(tmp_path, path)


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    files = [member(f"edge/{number}") for number in range(4)]
    assert "got more than 3 files" in refused(tmp_path, *files)


def test_the_same_path_twice(tmp_path: Path) -> None:
    assert "File exists" in refused(tmp_path, member("edge/x"), member("edge/x"))


def test_a_file_where_a_folder_is(tmp_path: Path) -> None:
    assert "cannot be unpacked" in refused(tmp_path, member("edge/x"), member("edge/x/y"))


def test_loose_files(tmp_path: Path) -> None:
    assert "got 2 files or folders, expected one folder" in refused(
        tmp_path, member("a"), member("b")
    )


def test_nothing_in_it(tmp_path: Path) -> None:
    assert "got 0 files or folders, expected one folder" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x1f\x8b\x08\x00garbled"])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"x.tar.gz.*python -m export --bundle"):
        unpack(path, tmp_path)


def test_half_an_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar.gz", member("edge/x", size=100_000))
    path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / "into").mkdir()
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        unpack(path, tmp_path / "into")


def test_a_plain_one_comes_out_as_it_went_in(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x").write_bytes(b"content")
    pack(folder, tmp_path / "x.tar.gz", "edge")
    (tmp_path / "into").mkdir()
    found = unpack(tmp_path / "x.tar.gz", tmp_path / "into")
    assert found == tmp_path / "into" / "edge"
    assert (found / "sub" / "x").read_bytes() == b"content"
