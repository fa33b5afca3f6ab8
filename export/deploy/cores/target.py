"""What a program is for: a board by its key or name, or a core alone."""

import difflib
from dataclasses import dataclass

from export.deploy.cores.core import CORES, SAME_AS, Core, core_named
from export.deploy.microcontroller.boards import BOARDS
from train.common.errors import ToolkitError


@dataclass(frozen=True, kw_only=True)
class Target:
    """A board, or a core on none.

    Attributes:
        key, name: of the board or the core.
        core: the name of its core.
        flash_bytes, ram_bytes: what a program can have; None of a core alone.
        mhz: its clock; None of a core alone.
        word_bits: of its processor.
    """

    key: str
    name: str
    core: str
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    mhz: int | None = None
    word_bits: int = 32

    @property
    def built_for(self) -> Core:
        """The core that programs are built for and emulated on.

        Raises:
            ToolkitError: there is no compiler and no emulator for it here.
        """
        known = {*SAME_AS, *(core.name for core in CORES)}
        if self.core not in known:
            raise ToolkitError(
                f"got board {self.key}, whose {self.core} this toolkit has no compiler for; "
                f"choose a board with one of {', '.join(sorted(known))}"
            )
        return core_named(self.core)


def board_named(name: str) -> Target:
    """Returns a board by its key or name, or a core by its name.

    Raises:
        ToolkitError: there is neither; the closest name is said, and all that there are.
    """
    found: dict[str, Target] = {}
    for core in (*(each.name for each in CORES), *SAME_AS):
        bits = 8 if core_named(core).family == "avr" else 32
        found[core.lower()] = Target(key=core.lower(), name=core, core=core, word_bits=bits)
    cores = list(found)
    for board in BOARDS:
        found[board.name.lower()] = found[board.key] = Target(
            key=board.key,
            name=board.name,
            core=board.core,
            flash_bytes=board.flash_bytes,
            ram_bytes=board.ram_bytes,
            mhz=board.mhz,
            word_bits=board.word_bits,
        )
    wanted = name.strip().lower()
    if wanted not in found:
        close = difflib.get_close_matches(wanted, found, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}? " if close else ""
        boards = ", ".join(board.key for board in BOARDS)
        raise ToolkitError(
            f"unknown board {name!r}; {hint}boards are {boards}; cores {', '.join(cores)}"
        )
    return found[wanted]
