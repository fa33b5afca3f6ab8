"""Progress of long work: a live line on a terminal, plain lines in a log. Light."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress(Protocol):
    """Where a stage says how far it is."""

    def step(self, text: str, share: float | None = None) -> None:
        """Something small happened (an epoch): the live line, or a line of a log.

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
        if share is None:
            self._bar.update(self._task, description=text)
        else:
            self._bar.update(self._task, description=text, total=1.0, completed=share)

    def milestone(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class _Log:
    def step(self, text: str, share: float | None = None) -> None:
        print(text, flush=True)

    def milestone(self, text: str) -> None:
        print(text, flush=True)


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
    else:
        yield _Log()
