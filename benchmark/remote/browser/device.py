"""Where the page is opened: in a browser of this machine, or on a phone by its address."""

import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from benchmark.measure.measured import MeasureInBrowser
from benchmark.remote.browser.chromium import Chromium, Opened, find_chromium
from benchmark.remote.browser.npm import packages_folder
from benchmark.remote.browser.received import Hello
from benchmark.remote.browser.run import measure_in_browser
from benchmark.remote.browser.server import Server
from train.common.errors import ToolkitError

RUNTIME_PACKAGES = ("@litertjs/core", "onnxruntime-web")
# How browsers call themselves, the first that fits: many say that they are Chrome or Safari too.
BRANDS = (
    ("Edge", re.compile(r"\bEdg(?:A|iOS)?/([\d.]+)")),
    ("Opera", re.compile(r"\bOPR/([\d.]+)")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/([\d.]+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/([\d.]+)")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/([\d.]+)")),
    ("Safari", re.compile(r"\bVersion/([\d.]+).* Safari/")),
)
LOOPBACK = "127.0.0.1"
ANY = ("0.0.0.0", "::")  # noqa: S104 - told apart here, listened on only where --listen says so
ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?")
# RFC 5737, 3849; nothing is sent there.
ELSEWHERE = ("192.0.2.1", "2001:db8::1")
SYSTEMS = ("Android", "iPhone", "iPad")


@dataclass(frozen=True)
class Local:
    """A Chromium of this machine, without a window."""

    chromium: Chromium
    gpu: bool
    host: str = LOOPBACK
    opens_again: bool = True
    rows_together: int = 16
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


@dataclass(frozen=True)
class Elsewhere:
    """A phone or a tablet, on which someone opens the page."""

    listened_on: str
    opens_again: bool = False
    rows_together: int = 4  # a phone has little memory, and each has its runtime's
    start_s: float = 900.0
    silence_s: float = 120.0

    @property
    def host(self) -> str:
        """What others reach this machine by."""
        return reached_by(self.listened_on)

    @contextmanager
    def opened(self, address: str) -> Iterator["Elsewhere"]:
        """Says what to open."""
        print(picture_of(address, sys.stdout.encoding or "ascii"), end="")
        print(f"Open {address} in the browser to measure; it is good for one run.")
        if self.listened_on == LOOPBACK:
            print(
                "Only this machine can: for a phone in the same network, --listen 0.0.0.0 or this "
                "machine's address there."
            )
        sys.stdout.flush()
        yield self

    def problem(self) -> None:
        """Knows nothing of the browser but what its page says."""

    def named(self, hello: Hello) -> tuple[str, str, bool]:
        """Returns what the browser calls itself, with the system of a phone or a tablet."""
        return (*browser_named(hello.user_agent), False)


def browser_named(user_agent: str) -> tuple[str, str]:
    """Returns a browser's name, with its main version, and its version in full."""
    system = next((f" {name}" for name in SYSTEMS if name in user_agent), "")
    for brand, pattern in BRANDS:
        found = pattern.search(user_agent)
        if found is not None:
            return f"{brand} {found[1].split('.')[0][:6]}{system}", found[1]
    return f"browser{system}", "unknown"


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


@contextmanager
def served(listen: str | None, accelerator: str) -> Iterator[MeasureInBrowser]:
    """Yields what measures exports in a browser that somebody opens the page in.

    Args:
        listen: `ADDRESS[:PORT]`; None for this machine alone.
        accelerator: `wasm` or `webgpu`.

    Raises:
        ToolkitError: it cannot listen there, or the page's packages cannot be installed.
    """
    address = (LOOPBACK, 0) if listen is None else parse_listen(listen)
    packages = packages_folder()
    with Server(packages, address) as server:
        device = Elsewhere(address[0])
        yield partial(measure_in_browser, device, server, versions(packages), accelerator)


def versions(packages: Path) -> dict[str, str]:
    """Returns the versions of the runtimes, by the package's name."""
    return {
        name: json.loads((packages / name / "package.json").read_text(encoding="utf-8"))["version"]
        for name in RUNTIME_PACKAGES
    }


def parse_listen(text: str) -> tuple[str, int]:
    """Returns the address and the port, 0 for any that is free, of `ADDRESS[:PORT]`.

    Raises:
        ToolkitError: it is nothing such.
    """
    found = ADDRESS.fullmatch(text)
    port = int(found[3] or 0) if found else -1
    if found is None or port > 65_535:
        raise ToolkitError(
            f"--listen: got {text!r}, expected ADDRESS[:PORT], such as 0.0.0.0, 192.168.1.5:8000 "
            "or [::]:8000"
        )
    return found[1] or found[2], port


def reached_by(address: str) -> str:
    """Returns what others in the network reach an address of this machine by."""
    if address not in ANY:
        return address
    family = socket.AF_INET6 if address == "::" else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as found:
        found.connect((ELSEWHERE[ANY.index(address)], 9))
        return str(found.getsockname()[0])
    return socket.gethostname()


def picture_of(address: str, encoding: str) -> str:
    """Returns a QR code of an address as text, or where there can be none, what is missing.

    Args:
        address: the page's.
        encoding: of what the text is printed on.
    """
    try:
        "▀▄█".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ""
    try:
        import segno
    except ModuleNotFoundError:
        return "(`pip install segno` for a QR code of it)\n"
    text = StringIO()
    segno.make(address, error="l", micro=False).terminal(text, border=2, compact=True)
    return text.getvalue()
