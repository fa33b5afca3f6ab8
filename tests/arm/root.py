"""The root file system and the kernel of the emulated machine, built once and kept.

Packages are unpacked, not installed: no script of theirs runs, so that neither root nor an ARM
machine is needed. What is built is kept in the user's cache, by the hash of all that went in.
"""

import compileall
import hashlib
import os
import py_compile
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.arm.cpio import write_archive
from tests.arm.packages import (
    KERNEL_PACKAGE,
    PYTHON_VERSION,
    ROOT_PACKAGES,
    Apt,
    Package,
    fetch_wheels,
    kernel_of,
    run,
)
from train.common.errors import ToolkitError
from train.common.files.staging import staging

INIT = Path(__file__).with_name("init.sh")
SITE_PACKAGES = f"usr/local/lib/python{PYTHON_VERSION}/dist-packages"
# In the order they are loaded: what the kernel needs to see the machine's disk.
MODULES = ("virtio_ring", "virtio", "virtio_mmio", "virtio_blk")
KERNEL_FILE, ROOT_FILE = "vmlinuz", "root.cpio"


@dataclass(frozen=True, kw_only=True)
class BootFiles:
    """What the machine starts from: `kernel`, and `root`, a cpio archive."""

    kernel: Path
    root: Path


def cache_folder() -> Path:
    """Returns where built root file systems and apt's lists are kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "edge-export" / "arm"


def boot_files(requirements: Path, cache: Path, on_progress: Callable[[str], None]) -> BootFiles:
    """Returns the kernel and the root file system with a lock's wheels; builds what is missing.

    Args:
        requirements: the lock with hashes.
        cache: the folder that they are kept in.
        on_progress: is told what takes time.

    Raises:
        ToolkitError: a package or a wheel cannot be had.
    """
    apt = Apt(cache / "apt")
    on_progress("asking apt for arm64 packages")
    apt.update()
    packages = apt.resolve(*ROOT_PACKAGES)
    kernel = kernel_of(apt.resolve(KERNEL_PACKAGE))
    folder = cache / key_of(requirements, (kernel, *packages))
    if not (folder / KERNEL_FILE).is_file():
        with staging(cache, "XDG_CACHE_HOME") as staged:
            on_progress(f"downloading {len(packages) + 1} packages and the wheels")
            files = apt.fetch((kernel, *packages), staged)
            wheels = staged / "wheels"
            wheels.mkdir()
            found = fetch_wheels(requirements, wheels)
            on_progress("unpacking them")
            built = staged / "built"
            built.mkdir()
            build(files[0], files[1:], found, built)
            for old in cache.glob("root-*"):  # of older packages, a few hundred megabytes each
                shutil.rmtree(old, ignore_errors=True)
            built.replace(folder)
    return BootFiles(kernel=folder / KERNEL_FILE, root=folder / ROOT_FILE)


def key_of(requirements: Path, packages: Sequence[Package]) -> str:
    """Returns the name of the cached folder, by the hash of all that the root is made of."""
    digest = hashlib.sha256(requirements.read_bytes())
    for source in (Path(__file__), INIT):
        digest.update(source.read_bytes())
    digest.update("\n".join(package.file for package in packages).encode())
    return f"root-{digest.hexdigest()[:16]}"


def build(kernel: Path, packages: Sequence[Path], wheels: Sequence[Path], folder: Path) -> None:
    """Writes the kernel and the archive of the root file system into an empty folder.

    Args:
        kernel: the kernel's package.
        packages: the packages of the root file system.
        wheels: what goes into Python's packages.
        folder: where to.
    """
    tree, unpacked = folder / "tree", folder / "kernel"
    for package in packages:
        run("dpkg-deb", "--extract", str(package), str(tree))
    run("dpkg-deb", "--extract", str(kernel), str(unpacked))
    unpack_wheels(wheels, tree / SITE_PACKAGES)
    # on the emulated machine every process would compile them; it has no clock to compare times
    for part in ("usr/lib", "usr/local/lib"):
        compileall.compile_dir(
            tree / part,
            quiet=2,
            stripdir=str(tree),
            prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    (tree / "modules").mkdir()
    for number, name in enumerate(MODULES):
        (module,) = unpacked.glob(f"lib/modules/*/kernel/drivers/*/{name}.ko")
        shutil.copyfile(module, tree / "modules" / f"{number}-{name}.ko")
    shutil.copyfile(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    for name in ("dev", "proc", "sys", "tmp", "root"):
        (tree / name).mkdir(exist_ok=True)
    shutil.rmtree(tree / "usr/share/doc", ignore_errors=True)
    with (folder / ROOT_FILE).open("wb") as file:
        write_archive(tree, file)
    (image,) = (unpacked / "boot").glob("vmlinuz-*")
    image.replace(folder / KERNEL_FILE)
    shutil.rmtree(tree)
    shutil.rmtree(unpacked)


def unpack_wheels(wheels: Sequence[Path], folder: Path) -> None:
    """Unpacks wheels into a folder of Python packages.

    Raises:
        ToolkitError: a wheel has files that belong elsewhere, which this does not know to place.
    """
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            elsewhere = [
                name for name in archive.namelist() if ".data/" in name.split("/")[0] + "/"
            ]
            if elsewhere:
                raise ToolkitError(
                    f"{wheel.name}: got {elsewhere[0]}, expected a wheel without a .data folder; "
                    "teach `tests/arm/root.py` where it belongs"
                )
            archive.extractall(folder)
