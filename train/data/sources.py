"""Where the four Fashion-MNIST files come from, and the proof that they are the real ones.

Local copies come before the network. Every source is checked by the SHA-256 of the *decompressed*
content, because archives differ in their gzip bytes. Data set: Xiao et al. 2017, https://github.com/zalandoresearch/fashion-mnist
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.common.command.terminal import printable
from train.common.errors import DataError
from train.common.files.open import is_there, open_regular
from train.common.files.staging import temporary_folder

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

CONTENT_SHA256 = {
    TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

MAX_BYTES = 50_000_000  # more than the largest of them has
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
# Where keras.datasets.fashion_mnist.load_data() downloads from.
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
NETWORK_TIMEOUT_S = 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """A place that the data set may be found in; `folder` fetches it first if it must."""

    name: str
    folder: Callable[[], Path]


def default_sources() -> tuple[Source, ...]:
    """Returns every source in the order it is tried: local copies, then the network."""
    keras_folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    keras_cache = keras_folder / "datasets" / "fashion-mnist"
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own_cache = cache_home / "edge-export" / "fashion-mnist"
    return (
        Source(name=f"system folder {SYSTEM_FOLDER}", folder=lambda: SYSTEM_FOLDER),
        Source(name=f"Keras cache {keras_cache}", folder=lambda: keras_cache),
        Source(name=f"own cache {own_cache}", folder=lambda: own_cache),
        Source(name=f"download {KERAS_URL}", folder=lambda: download(KERAS_URL, keras_cache)),
        Source(
            name=f"Debian package {DEBIAN_PACKAGE}",
            folder=lambda: unpack_debian_package(own_cache),
        ),
    )


def read_files(
    names: Sequence[str], data: Path | None, sources: Sequence[Source] | None = None
) -> dict[str, bytes]:
    """Returns the decompressed, verified content of some of the four files.

    Args:
        names: keys of `CONTENT_SHA256`.
        data: the folder that the user named, the only one looked at; None to search.
        sources: what to search; None for `default_sources()`.

    Raises:
        DataError: the named folder lacks a file or holds a corrupt one, or no source has them;
            the message names each source tried, why it failed, and what to do.
    """
    if data is not None:
        try:
            return {name: _read_verified(data, name) for name in names}
        except DataError as error:
            raise DataError(
                f"--data {data}: {error}; expected the four Fashion-MNIST IDX files "
                "(.gz or not) in this folder, or leave --data out to have them found"
            ) from error
    reasons = []
    for source in default_sources() if sources is None else sources:
        try:
            folder = source.folder()
            return {name: _read_verified(folder, name) for name in names}
        except DataError as error:
            reasons.append(f"{source.name}: {error}")
            if "SHA-256" in str(error):
                warning = f"warning: {reasons[-1]}; trying the next source"
                print(printable(warning), file=sys.stderr)
    raise DataError(
        f"Fashion-MNIST not found. Tried {'; '.join(reasons)}. "
        f"Run `sudo apt-get install {DEBIAN_PACKAGE}` or give its folder with --data"
    )


def download(url: str, folder: Path) -> Path:
    """Downloads the four files into Keras's cache under Keras's names; returns `folder`.

    Raises:
        DataError: the server cannot be reached, or what it sent is not the data set.
    """
    import http.client  # slow to import, and hardly ever needed
    import urllib.error
    import urllib.request

    def fetch(staged: Path) -> None:
        for name in CONTENT_SHA256:
            with (
                urllib.request.urlopen(f"{url}/{name}.gz", timeout=NETWORK_TIMEOUT_S) as response,
                (staged / f"{name}.gz").open("wb") as file,
            ):
                shutil.copyfileobj(response, file)

    try:
        return _fill(folder, fetch)
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DataError(str(reason)) from error


def unpack_debian_package(folder: Path) -> Path:
    """Downloads Debian's package and unpacks it into `folder`, without root; returns `folder`.

    Where the machine has no package lists, they are fetched into a folder of our own, which
    needs no permission and leaves the system's lists alone.

    Raises:
        DataError: no apt on this machine, the package cannot be had, or it is not the data set.
    """

    def fetch(staged: Path) -> None:
        work = staged / "package"
        work.mkdir()
        try:
            _run("apt-get", "download", DEBIAN_PACKAGE, folder=work)
        except DataError:
            state = work / "apt"
            (state / "lists" / "partial").mkdir(parents=True)
            own_lists = ("-o", f"Dir::State::Lists={state}/lists", "-o", f"Dir::Cache={state}")
            _run("apt-get", *own_lists, "update", folder=work)
            _run("apt-get", *own_lists, "download", DEBIAN_PACKAGE, folder=work)
        (package,) = work.glob("*.deb")
        _run("dpkg-deb", "--extract", package.name, "content", folder=work)
        for name in CONTENT_SHA256:
            unpacked = work / "content" / SYSTEM_FOLDER.relative_to("/") / f"{name}.gz"
            unpacked.rename(staged / unpacked.name)
        shutil.rmtree(work)

    try:
        return _fill(folder, fetch)
    except OSError as error:
        raise DataError(str(error)) from error


def _fill(folder: Path, fetch: Callable[[Path], None]) -> Path:
    """Lets `fetch` fill a temporary folder, verifies all four files, moves them to `folder`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(".fetch-", folder.parent) as staged:
        fetch(staged)
        for name in CONTENT_SHA256:
            _read_verified(staged, name)
        folder.mkdir(exist_ok=True)
        for path in staged.iterdir():
            path.replace(folder / path.name)
    return folder


def has_file(folder: Path, name: str) -> bool:
    """Returns whether a folder holds one of the four files, gzipped or not."""
    return any(is_there(path) for path in (folder / f"{name}.gz", folder / name))


def _read_verified(folder: Path, name: str) -> bytes:
    for path in (folder / f"{name}.gz", folder / name):
        if is_there(path):
            break
    else:
        raise DataError(f"no {name}.gz" if folder.is_dir() else "no such folder")
    try:
        with open_regular(path) as file:
            plain = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            content = plain.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != CONTENT_SHA256[name]:
        raise DataError(
            f"{path.name} is corrupt: got SHA-256 {found[:12]}… of its decompressed content, "
            f"expected {CONTENT_SHA256[name][:12]}…"
        )
    return content


def _run(*command: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError as error:
        raise DataError(f"no {command[0]} on this machine") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise DataError(f"{command[0]}: {lines[-1]}")
