"""On which boards a network's C fits, by what was measured on their emulated cores."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.deploy.cores.build import DOES_NOT_FIT
from export.deploy.cores.core import SAME_AS
from export.deploy.microcontroller.boards import BOARDS, Board, Fit, fit, table
from tests.mcu.table import Row

ANY_WORD_BITS = 8


@dataclass(frozen=True, kw_only=True)
class Fits:
    """How one network fits on boards.

    Attributes:
        network: its name.
        found: by the figures of the board's core: flash is that of a program with nothing but the
            model, RAM its variables, the arena among them, and the stack.
        unmeasured: boards whose cores were not measured.
    """

    network: str
    found: tuple[Fit, ...]
    unmeasured: tuple[Board, ...]

    @property
    def table(self) -> str:
        """A line per board."""
        lines = [f"{self.network} on boards, by the figures of their cores:", table(self.found)]
        left_out = [f"{board.name} ({board.core})" for board in self.unmeasured]
        return "\n".join(
            [*lines, *([f"  not measured: {', '.join(left_out)}"] if left_out else [])]
        )

    @property
    def line(self) -> str:
        """Where it does not fit."""
        count = sum(each.fits for each in self.found)
        said = f"{self.network} fits on {count} of {len(self.found)} measured boards"
        but = [f"{f.board.name} ({', '.join(f.reasons)})" for f in self.found if not f.fits]
        return f"{said}; not on {', '.join(but)}" if but else said


def fits(network: str, rows: Sequence[Row]) -> Fits:
    """Returns how a network fits on boards.

    Args:
        network: which.
        rows: of it and of others.
    """
    measured = {row.core: row for row in rows if row.network == network}
    found, unmeasured = [], []
    for board in BOARDS:
        row = measured.get(SAME_AS.get(board.core, board.core))
        if row is None:
            unmeasured.append(board)
        elif row.size is None:
            reason = row.reason.removeprefix(DOES_NOT_FIT)
            found.append(Fit(board=board, flash_left_bytes=0, ram_left_bytes=0, reasons=(reason,)))
        else:
            flash, ram = row.size.flash, row.size.ram + row.stack
            found.append(fit(board, flash_bytes=flash, ram_bytes=ram, word_bits=ANY_WORD_BITS))
    return Fits(network=network, found=tuple(found), unmeasured=tuple(unmeasured))
