"""Progress of long work: a live line on a terminal, a line every few seconds in a log."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from train.common.command.terminal import printable, printable_lines

INTERVAL_S = 5.0
# Set to 1, every step is a line, for a program that reads them.
EVERY_STEP_VARIABLE = "EDGE_EXPORT_EVERY_STEP"


class Progress(Protocol):
    """Where a stage says how far it is."""

    def step(self, text: str, share: float | None = None) -> None:
        """Something small happened (an epoch): the live line, or now and then a line of a log.

        `share` of the work, 0…1, is done; where it is known, a bar and the time left are shown.
        """

    def milestone(self, text: str) -> None:
        """Something worth keeping happened: a line that stays."""


class _Live:
    def __init__(self, console: Console, bar: Bar) -> None:
        self._console = console
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def step(self, text: str, share: float | None = None) -> None:
        text = printable(text)
        if share is None:
            self._bar.update(self._task, description=text)
        else:
            self._bar.update(self._task, description=text, total=1.0, completed=share)

    def milestone(self, text: str) -> None:
        self._console.print(printable_lines(text), highlight=False, markup=False, soft_wrap=True)


class Log:
    """Progress where standard output is no terminal: every milestone, a step every few seconds.

    Time passes by calls of `tick`, one per interval. With `every_step` every step is printed.
    """

    def __init__(self, *, every_step: bool = False) -> None:
        self._every_step = every_step
        self._lock = threading.Lock()
        self._held: str | None = None
        self._quiet = True  # nothing was printed since the last tick but one

    def step(self, text: str, share: float | None = None) -> None:
        """Prints the step if it has been quiet, else keeps it for the next tick."""
        with self._lock:
            if self._quiet or self._every_step:
                self._print(text)
            else:
                self._held = text

    def milestone(self, text: str) -> None:
        """Prints the milestone; a step that was held back before it is out of date."""
        with self._lock:
            self._print(text)

    def tick(self) -> None:
        """Prints the latest step that was held back, if there is one."""
        with self._lock:
            if self._held is None:
                self._quiet = True
            else:
                self._print(self._held)

    def _print(self, text: str) -> None:
        print(printable_lines(text), flush=True)
        self._held, self._quiet = None, False


@contextmanager
def progress() -> Iterator[Progress]:
    """Yields the progress that suits standard output."""
    console = Console()
    if console.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=console, transient=True) as bar:
            yield _Live(console, bar)
    elif os.environ.get(EVERY_STEP_VARIABLE) == "1":
        yield Log(every_step=True)
    else:
        log, ended = Log(), threading.Event()

        def tick() -> None:
            while not ended.wait(INTERVAL_S):
                log.tick()

        threading.Thread(target=tick, daemon=True).start()
        try:
            yield log
        finally:
            ended.set()
