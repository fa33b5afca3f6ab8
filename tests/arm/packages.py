"""Debian's arm64 packages and the device's aarch64 wheels, from the registries as configured here.

apt gets a root of its own: it reads the machine's sources and keys, and keeps its lists, its state
and what it downloads in a folder of ours, so that it needs no permission and changes nothing.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.common.errors import ToolkitError

PYTHON_VERSION = "3.11"  # Debian 12's, and the one that the lock is resolved for
# What the root file system is made of; apt adds what these depend on.
ROOT_PACKAGES = ("busybox-static", "libstdc++6", f"python{PYTHON_VERSION}")
# For virtual machines: the arm64 kernel without the drivers of boards, a third of the download.
KERNEL_PACKAGE = "linux-image-cloud-arm64"
GLIBC_MINOR = 36  # Debian 12's glibc is 2.36
LINE = re.compile(r"^'[^']+' (?P<file>(?P<name>[^_ ]+)_\S+\.deb) \d+ ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Package:
    """A Debian package: its name, and its file's name, which holds the version."""

    name: str
    file: str


class Apt:
    """apt for arm64, with lists and state in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()

    def update(self) -> None:
        """Fetches the lists; without a network, those of an earlier time serve."""
        self._run("apt-get", "update")

    def resolve(self, *names: str) -> tuple[Package, ...]:
        """Returns the packages that these need, themselves included, on a machine with nothing.

        Raises:
            ToolkitError: no apt here, or its sources lack one of them.
        """
        found = parse_uris(self._run("apt-get", "--print-uris", "--yes", "install", *names))
        if not found:
            raise ToolkitError(
                f"apt names no packages for {', '.join(names)}; run `apt-get update`, and see that "
                "the machine's apt sources are Debian 12's"
            )
        return found

    def fetch(self, packages: Sequence[Package], folder: Path) -> list[Path]:
        """Downloads packages, verified by apt, and returns their files in `folder`.

        Raises:
            ToolkitError: apt cannot download them.
        """
        self._run("apt-get", "download", *(found.name for found in packages), folder=folder)
        return [folder / found.file for found in packages]

    def _run(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        own = {
            "Dir::State": self._folder,
            "Dir::State::Lists": self._folder / "lists",
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder,
            "Dir::Cache::archives": self._folder / "archives",
            "APT::Architecture": "arm64",
            "APT::Architectures": "arm64",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",  # the user _apt may not write to a home folder
            "Acquire::Languages": "none",
        }
        options = [part for name, value in own.items() for part in ("-o", f"{name}={value}")]
        return run(program, *options, *arguments, folder=folder)


def parse_uris(text: str) -> tuple[Package, ...]:
    """Returns the packages that `apt-get --print-uris` names, ascending by name."""
    found = {Package(name=line["name"], file=line["file"]) for line in LINE.finditer(text)}
    return tuple(sorted(found, key=lambda package: package.name))


def kernel_of(packages: Sequence[Package]) -> Package:
    """Returns the package with the kernel itself, which `KERNEL_PACKAGE` only points to.

    Raises:
        ToolkitError: there is none.
    """
    for package in packages:
        if re.match(r"linux-image-\d", package.name):
            return package
    raise ToolkitError(
        f"apt names no kernel for {KERNEL_PACKAGE}; run `apt-get update`, and see that the "
        "machine's apt sources are Debian 12's"
    )


def wheel_platforms() -> Iterator[str]:
    """Yields the wheel platforms that Debian 12 on aarch64 can run."""
    yield "manylinux2014_aarch64"
    for minor in range(17, GLIBC_MINOR + 1):
        yield f"manylinux_2_{minor}_aarch64"


def fetch_wheels(requirements: Path, folder: Path) -> list[Path]:
    """Downloads the wheels of a hashed lock for aarch64, whatever machine this is.

    Raises:
        ToolkitError: pip cannot, or one of the packages has no wheel for aarch64.
    """
    platforms = [part for name in wheel_platforms() for part in ("--platform", name)]
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:", *platforms),
        *("--implementation", "cp", "--python-version", PYTHON_VERSION),
        *("--requirement", str(requirements.resolve()), "--dest", str(folder)),
    )
    return sorted(folder.glob("*.whl"))


def run(*command: str, folder: Path | None = None) -> str:
    """Runs a program and returns what it wrote to standard output.

    Raises:
        ToolkitError: it is not there, or it failed; with its last error.
    """
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ToolkitError(
            f"got no {command[0]}, expected a Debian 12 machine; run `make arm` on one"
        ) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "ERROR"))]
        said = (lines or done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(
            f"{Path(command[0]).name} failed: {said.strip()}; see that the package registries can "
            "be reached, then run `make arm` again"
        )
    return done.stdout
