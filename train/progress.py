"""Progress of long work: a live line on a terminal, plain lines in a log. Light."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.status import Status


class Progress(Protocol):
    """Where a stage says how far it is."""

    def step(self, text: str) -> None:
        """Something small happened (an epoch): the live line, or a line of a log."""

    def milestone(self, text: str) -> None:
        """Something worth keeping happened: a line that stays."""


class _Live:
    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status

    def step(self, text: str) -> None:
        self._status.update(text)

    def milestone(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class _Log:
    def step(self, text: str) -> None:
        print(text, flush=True)

    milestone = step


@contextmanager
def progress() -> Iterator[Progress]:
    """Yields the progress that suits standard output."""
    console = Console()
    if console.is_terminal:
        with console.status("starting") as status:
            yield _Live(console, status)
    else:
        yield _Log()
