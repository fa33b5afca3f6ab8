"""Finding the data set: the order, the check, the errors; the network is real or on loopback."""

import functools
import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from train.common.errors import DataError
from train.data import sources
from train.data.sources import Source, read_files

NAMES = tuple(sources.CONTENT_SHA256)


@pytest.fixture
def fake_content(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small stand-ins for the four files, with the expected hashes to match."""
    content = {name: name.encode() * 3 for name in NAMES}
    hashes = {name: hashlib.sha256(value).hexdigest() for name, value in content.items()}
    monkeypatch.setattr(sources, "CONTENT_SHA256", hashes)
    return content


def fill(folder: Path, content: dict[str, bytes], *, zipped: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in content.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(value, mtime=0))
        else:
            (folder / name).write_bytes(value)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on loopback: its address and the folder it serves."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_named_folder_is_read_zipped_or_not(
    tmp_path: Path, fake_content: dict[str, bytes], zipped: bool
) -> None:
    folder = fill(tmp_path / "data", fake_content, zipped=zipped)
    assert read_files(NAMES, folder, sources=()) == fake_content


def test_a_named_folder_is_the_only_one_looked_at(
    tmp_path: Path, fake_content: dict[str, bytes]
) -> None:
    good = fill(tmp_path / "good", fake_content, zipped=True)
    with pytest.raises(DataError, match=r"--data .*empty: no such folder; expected the four"):
        read_files(NAMES, tmp_path / "empty", sources=[Source(name="good", folder=lambda: good)])


def corrupt(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[:-9])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "not gzip":
        path.write_bytes(b"<html>404</html>")
    elif how == "flipped bit":
        path.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
    else:
        path.write_bytes(gzip.compress(b"another data set"))


@pytest.mark.parametrize("how", ["truncated", "empty", "not gzip", "flipped bit", "other content"])
def test_corruption_is_found(tmp_path: Path, fake_content: dict[str, bytes], how: str) -> None:
    folder = fill(tmp_path / "data", fake_content, zipped=True)
    corrupt(folder / f"{sources.TEST_IMAGES}.gz", how)
    with pytest.raises(DataError, match=f"{sources.TEST_IMAGES}.gz (cannot be read|is corrupt)"):
        read_files(NAMES, folder, sources=())


def test_a_missing_file_is_named(tmp_path: Path, fake_content: dict[str, bytes]) -> None:
    folder = fill(tmp_path / "data", fake_content, zipped=True)
    (folder / f"{sources.TEST_LABELS}.gz").unlink()
    assert set(read_files(NAMES[:2], folder, sources=())) == set(NAMES[:2])
    with pytest.raises(DataError, match=f"no {sources.TEST_LABELS}.gz"):
        read_files(NAMES, folder, sources=())


def test_sources_are_tried_in_order_until_one_is_whole(
    tmp_path: Path, fake_content: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = fill(tmp_path / "bad", fake_content, zipped=True)
    corrupt(bad / f"{NAMES[0]}.gz", "other content")
    good = fill(tmp_path / "good", fake_content, zipped=True)
    tried: list[str] = []

    def source(name: str, folder: Path) -> Source:
        def look() -> Path:
            tried.append(name)
            return folder

        return Source(name=name, folder=look)

    order = [source("absent", tmp_path / "no"), source("bad", bad), source("good", good)]
    assert read_files(NAMES, None, [*order, source("unused", good)]) == fake_content
    assert tried == ["absent", "bad", "good"]
    assert "warning: bad: " in capsys.readouterr().err


def test_when_all_fail_each_is_named_with_the_remedy(tmp_path: Path) -> None:
    order = [Source(name=name, folder=lambda: tmp_path / "no") for name in ("first", "second")]
    with pytest.raises(DataError) as caught:
        read_files(NAMES, None, order)
    message = str(caught.value)
    assert "Tried first: no such folder; second: no such folder." in message
    assert "apt-get install dataset-fashion-mnist" in message
    assert "--data" in message


def test_the_order_of_the_default_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert [source.name for source in sources.default_sources()] == [
        "system folder /usr/share/datasets/fashion-mnist",
        f"Keras cache {tmp_path}/.keras/datasets/fashion-mnist",
        f"own cache {tmp_path}/.cache/edge-export/fashion-mnist",
        "download https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "Debian package dataset-fashion-mnist",
    ]


def test_download_fills_the_cache(
    tmp_path: Path, fake_content: dict[str, bytes], server: tuple[str, Path]
) -> None:
    address, served = server
    fill(served, fake_content, zipped=True)
    cache = tmp_path / "cache" / "fashion-mnist"
    assert sources.download(address, cache) == cache
    assert read_files(NAMES, cache, sources=()) == fake_content
    assert [path.name for path in cache.parent.iterdir()] == ["fashion-mnist"]


@pytest.mark.parametrize("how", ["truncated", "other content", "absent"])
def test_a_bad_download_leaves_the_cache_as_it_was(
    tmp_path: Path, fake_content: dict[str, bytes], server: tuple[str, Path], how: str
) -> None:
    address, served = server
    fill(served, fake_content, zipped=True)
    cache = fill(
        tmp_path / "cache" / "fashion-mnist", {NAMES[0]: fake_content[NAMES[0]]}, zipped=True
    )
    last = served / f"{NAMES[-1]}.gz"
    last.unlink() if how == "absent" else corrupt(last, how)
    with pytest.raises(DataError):
        sources.download(address, cache)
    assert [path.name for path in cache.iterdir()] == [f"{NAMES[0]}.gz"]
    assert [path.name for path in cache.parent.iterdir()] == ["fashion-mnist"]


def test_no_server_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused"):
        sources.download("http://127.0.0.1:9", tmp_path / "cache")


def test_no_apt_is_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="no apt-get on this machine"):
        sources.unpack_debian_package(tmp_path / "cache" / "fashion-mnist")


def test_package_lists_are_fetched_into_our_own_folder_when_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_content: dict[str, bytes]
) -> None:
    """A stand-in apt-get that, like the real one, finds nothing before an update."""
    package = fill(tmp_path / "pkg/usr/share/datasets/fashion-mnist", fake_content, zipped=True)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "apt-get").write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/calls\n'
        'case "$*" in\n'
        "  download*) echo 'E: Unable to locate package' >&2; exit 100;;\n"
        "  *download*) : > dataset.deb;;\n"
        "esac\n"
    )
    (commands / "dpkg-deb").write_text(
        "#!/bin/sh\n"
        f"mkdir -p content/usr/share/datasets\ncp -r {package} content/usr/share/datasets/\n"
    )
    for command in commands.iterdir():
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    cache = tmp_path / "cache" / "fashion-mnist"
    sources.unpack_debian_package(cache)
    assert read_files(NAMES, cache, sources=()) == fake_content
    first, update, second = (tmp_path / "calls").read_text().splitlines()
    assert first == "download dataset-fashion-mnist"
    assert "Dir::State::Lists=" in update
    assert update.endswith("update")
    assert second.endswith("download dataset-fashion-mnist")
