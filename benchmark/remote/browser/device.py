"""Where the page is opened: a browser of this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.measure.measured import MeasureInBrowser
from benchmark.remote.browser.chromium import Chromium, Opened, find_chromium
from benchmark.remote.browser.messages import Hello
from benchmark.remote.browser.npm import packages_folder
from benchmark.remote.browser.run import measure_in_browser
from benchmark.remote.browser.server import Server

LOOPBACK = "127.0.0.1"
RUNTIME_PACKAGES = ("@litertjs/core", "onnxruntime-web")


@dataclass(frozen=True)
class Local:
    """A Chromium of this machine, without a window."""

    chromium: Chromium
    gpu: bool
    host: str = LOOPBACK
    opens_again: bool = True
    start_s: float = 90.0
    silence_s: float = 30.0

    @contextmanager
    def opened(self, address: str) -> Iterator[Opened]:
        """Opens the page, and ends the browser on leaving."""
        with self.chromium.opened(address, gpu=self.gpu) as opened:
            yield opened

    def named(self, hello: Hello) -> tuple[str, str, bool]:
        """Returns the browser's name and version, as it says them without a page."""
        return self.chromium.name, self.chromium.version, True


@contextmanager
def in_chromium(path: Path | None, accelerator: str) -> Iterator[MeasureInBrowser]:
    """Yields what measures exports in a browser of this machine, once that is found and can start.

    Raises:
        ToolkitError: there is no such browser, or the page's packages cannot be installed.
    """
    device = Local(find_chromium(path), gpu=accelerator == "webgpu")
    packages = packages_folder()
    with Server(packages) as server:
        yield partial(measure_in_browser, device, server, versions(packages), accelerator)


def versions(packages: Path) -> dict[str, str]:
    """Returns the versions of the runtimes, by the package's name."""
    return {
        name: json.loads((packages / name / "package.json").read_text(encoding="utf-8"))["version"]
        for name in RUNTIME_PACKAGES
    }
