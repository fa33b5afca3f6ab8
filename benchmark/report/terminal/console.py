"""What every text for the terminal is printed with, plain when piped."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from train.common.command.terminal import printable_lines


def say(console: Console, text: str) -> None:
    """Prints a paragraph as it is; wrapped in a terminal only."""
    console.print(
        printable_lines(text), highlight=False, markup=False, soft_wrap=not console.is_terminal
    )


def plain_table(first: str, figures: Iterable[str]) -> Table:
    """Returns a table of names and their figures, as narrow as it can be."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column(first, overflow="fold")  # the one to give way in a narrow terminal
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    return table
