"""A Chromium or Chrome on this machine, which opens one page without a window."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from train.common.command.terminal import printable
from train.common.errors import ToolkitError
from train.common.files.staging import temporary_folder

NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable"),
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
INSTALL = (
    "install one (`sudo apt-get install chromium`, or Google Chrome), or give its path: --browser "
    "PATH; for a browser elsewhere: --serve"
)
VERSION = re.compile(r"(Chromium|Chrome|Edge|Brave) (?:Browser )?(\d+)((?:\.\d+){0,3})\b")
VERSION_S = 60
# What it complains of, whatever is missing that it can do without, and what its launcher does.
NOISE = re.compile(r"\[[^\]]*:(?:ERROR|WARNING|INFO|VERBOSE1):|.*\[: .*operator$")
ARGUMENTS = (
    *("--headless=new", "--no-first-run", "--no-default-browser-check", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--metrics-recording-only", "--disable-dev-shm-usage"),
    # a page that no one looks at runs as one in front
    *("--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
    "--disable-backgrounding-occluded-windows",
)
WITHOUT_GPU = ("--disable-gpu",)
WITH_GPU = ("--enable-unsafe-webgpu", "--enable-features=Vulkan")
END_S = 10


@dataclass(frozen=True, kw_only=True)
class Chromium:
    """An installed browser; `name` is short, such as `Chromium 156`, `version` is in full."""

    path: Path
    name: str
    version: str

    @contextmanager
    def opened(self, address: str, *, gpu: bool) -> Iterator["Opened"]:
        """Opens a page in a new profile; ends the browser and removes the profile on leaving."""
        with temporary_folder("edge-export-browser-") as profile, tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [
                    *(self.path, *ARGUMENTS, *(WITH_GPU if gpu else WITHOUT_GPU)),
                    # its sandbox refuses to work for root; the page is this toolkit's own
                    *(["--no-sandbox"] if os.geteuid() == 0 else []),
                    *(f"--user-data-dir={profile}", address),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            try:
                yield Opened(process, said.fileno())
            finally:
                _end(process)


class Opened:
    """A running browser."""

    def __init__(self, process: subprocess.Popen[bytes], said: int) -> None:
        self.pid = process.pid
        self._process = process
        self._said = said

    def problem(self) -> str | None:
        """Returns how the browser ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        lines = os.pread(self._said, 1 << 20, 0).decode(errors="replace").splitlines()
        last = [line for line in lines if line.strip() and not NOISE.match(line)][-1:]
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the browser ended by {how}" + "".join(
            f": {printable(line[:200])}" for line in last
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a browser with all of its processes."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, ending)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
            break
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # of those that outlive the first


def find_chromium(path: Path | None) -> Chromium:
    """Returns the browser at a path, or one that is found.

    Raises:
        ToolkitError: there is none, or it is no Chromium.
    """
    if path is not None:
        found = shutil.which(str(path))
        if found is None:
            raise ToolkitError(f"--browser: got {path}, expected a browser to run; {INSTALL}")
    else:
        found = next(filter(None, map(shutil.which, (*NAMES, *PLACES))), None)
        if found is None:
            raise ToolkitError(f"--browser: got no Chromium or Chrome on this machine; {INSTALL}")
    try:
        done = subprocess.run(
            [found, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=VERSION_S,
            check=False,
        )
        said = done.stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    version = VERSION.search(said)
    if version is None:
        got = printable(" ".join(said.split())[:80]) or "nothing"
        raise ToolkitError(
            f"--browser: {found} --version says {got!r}, expected a Chromium or Chrome; {INSTALL}"
        )
    brand, major, minor = version.groups()
    return Chromium(path=Path(found), name=f"{brand} {major}", version=f"{major}{minor}")
