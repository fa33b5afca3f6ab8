"""Exports and test data → a page in a browser → its rows."""

import queue
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.measured import InBrowser
from benchmark.measure.session import OnProgress
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from benchmark.remote.browser.received import Broken, Hello, decoded
from benchmark.remote.browser.server import Server
from benchmark.remote.browser.session import Session
from export.data.test_data import Evaluation
from train.common.errors import ToolkitError

POLL_S = 0.2
KEPT = "what was measured is kept; the same command with --resume goes on"


class Opened(Protocol):
    """A browser that was asked to open the page."""

    def problem(self) -> str | None:
        """Returns how it ended; None while it runs, or where that cannot be known."""


class Device(Protocol):
    """Where the page is opened."""

    @property
    def host(self) -> str:
        """The address that it reaches this machine by."""

    @property
    def opens_again(self) -> bool:
        """Whether it opens the page again after a row ended it."""

    @property
    def rows_together(self) -> int:
        """How many rows may be loaded at the same time."""

    @property
    def start_s(self) -> float:
        """How long it may take until the page is open."""

    @property
    def silence_s(self) -> float:
        """How long the page may say nothing."""

    def opened(self, address: str) -> AbstractContextManager[Opened]:
        """Opens the page, and closes it on leaving."""

    def named(self, hello: Hello) -> tuple[str, str, bool]:
        """Returns the browser's name, its version in full, and whether it runs on this machine."""


def measure_in_browser(
    device: Device,
    server: Server,
    packages: Mapping[str, str],
    accelerator: str,
    variants: Sequence[Variant],
    settings: MeasureSettings,
    raw: PartialResults,
    test: Evaluation,
    on_progress: OnProgress,
) -> InBrowser:
    """Measures the files of some variants in a browser.

    A file that its runtime refuses, that hangs, or that ends the browser is an error row. What
    comes back is on disk at once.

    Args:
        device: where the page is opened.
        server: serves it.
        packages: versions of the runtimes, by the package's name.
        accelerator: `wasm` or `webgpu`.
        variants: this machine's rows.
        settings: how they are timed.
        raw: where results are kept.
        test: the test data.
        on_progress: told what is being done, and the share that is done.

    Raises:
        ToolkitError: the page was not opened, was closed, or sent what it cannot have measured.
    """
    session = Session(
        packages,
        accelerator,
        device.rows_together,
        variants,
        settings,
        raw,
        test,
        on_progress,
    )
    server.produce = session.produce
    while True:
        address = server.new_page(device.host)
        with device.opened(address) as opened:
            try:
                ended = _follow(session, server, device, opened)
            finally:
                server.forget_page()
        if ended is None:
            return session.result()
        if session.doing is None or not device.opens_again:
            raise ToolkitError(f"{ended}; {KEPT}")
        session.give_up(ended)


def _follow(session: Session, server: Server, device: Device, opened: Opened) -> str | None:
    """Answers the page until it is finished; returns why not, where it came to nothing."""
    session.doing, session.limit_s = None, 0.0
    moved = heard = time.monotonic()
    limit = device.start_s
    while True:
        now = time.monotonic()
        if now - heard > limit:
            return f"the page said nothing for {limit:.0f} s"
        # a browser that hangs may still let the page say that it is alive
        if now - moved > session.limit_s + limit:
            return f"the page came no further for {session.limit_s + limit:.0f} s"
        try:
            message = server.messages.get(timeout=POLL_S)
        except queue.Empty:
            if problem := opened.problem():
                return problem
            continue
        limit = device.silence_s
        if message.kind in ("closed", "broken"):
            message.answer.set_result(b"{}")
        if message.kind == "closed":
            return "the page was closed before it was done"
        if message.kind == "broken":
            return f"the page gave up: {decoded(Broken, message.body).text}"
        try:
            answer = session.answer(message, device.named)
            server.max_bytes = session.most_bytes
            message.answer.set_result(answer)
        except ToolkitError as error:
            message.answer.set_exception(error)
            raise ToolkitError(f"{error}; {KEPT}") from error
        if message.kind == "finished":
            return None
        heard = time.monotonic()  # what was just done with it may have taken long
        moved = heard if message.kind != "alive" else moved
