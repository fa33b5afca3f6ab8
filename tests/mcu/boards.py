"""The emulated boards: their cores, compilers' flags, memories, and the programs they need."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from train.common.errors import ToolkitError

Family = Literal["arm", "riscv", "avr"]
KIB = 1024
# By family: the compiler, its flags for every core, and what is linked.
COMPILERS: dict[Family, str] = {
    "arm": "arm-none-eabi-gcc",
    "riscv": "riscv64-unknown-elf-gcc",
    "avr": "avr-gcc",
}
BUILD_FLAGS: dict[Family, tuple[str, ...]] = {
    "arm": ("-O2", "-mthumb", "--specs=nano.specs"),
    "riscv": ("-O2", "--specs=picolibc.specs", "-mcmodel=medany", "-msmall-data-limit=0"),
    "avr": ("-Os",),
}
LINK_FLAGS: dict[Family, tuple[str, ...]] = {
    "arm": ("-nostartfiles",),
    "riscv": ("-nostartfiles",),
    "avr": (),
}
EMULATORS: dict[Family, str] = {
    "arm": "qemu-system-arm",
    "riscv": "qemu-system-riscv32",
    "avr": "simavr",
}
# Debian's packages, by the program that says whether they are there.
PACKAGES = {
    "arm-none-eabi-gcc": ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi"),
    "riscv64-unknown-elf-gcc": ("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"),
    "avr-gcc": ("gcc-avr", "avr-libc"),
    "qemu-system-arm": ("qemu-system-arm",),
    "qemu-system-riscv32": ("qemu-system-misc",),
    "simavr": ("simavr", "libsimavr-dev", "libelf-dev"),
}
# What simulator.c is made with; the packages are not those of the program.
SIMAVR_HEADERS = (Path("/usr/include/simavr/sim_avr.h"), Path("/usr/include/libelf.h"))


@dataclass(frozen=True, kw_only=True)
class Board:
    """An emulated board.

    Attributes:
        name: of the core, in the table.
        family: which compiler builds for it.
        machine: the emulator's name of the board.
        flags: the compiler's, for the core.
        flash, ram: where they begin; AVR's own linker script knows.
        flash_bytes, ram_bytes: what the program may take.
    """

    name: str
    family: Family
    machine: str
    flags: tuple[str, ...]
    flash: int = 0
    ram: int = 0x20000000
    flash_bytes: int = 4096 * KIB
    ram_bytes: int = 4096 * KIB


BOARDS = (
    Board(
        name="Cortex-M0",
        family="arm",
        machine="microbit",
        flags=("-mcpu=cortex-m0",),
        flash_bytes=256 * KIB,
        ram_bytes=16 * KIB,
    ),
    Board(name="Cortex-M3", family="arm", machine="mps2-an385", flags=("-mcpu=cortex-m3",)),
    Board(name="Cortex-M4", family="arm", machine="mps2-an386", flags=("-mcpu=cortex-m4",)),
    Board(name="Cortex-M7", family="arm", machine="mps2-an500", flags=("-mcpu=cortex-m7",)),
    Board(
        name="Cortex-M33",
        family="arm",
        machine="mps2-an505",
        flags=("-mcpu=cortex-m33", "-mfloat-abi=soft"),
        flash=0x10000000,
        ram=0x38000000,
    ),
    Board(
        name="Cortex-M55",
        family="arm",
        machine="mps3-an547",
        flags=("-mcpu=cortex-m55", "-mfloat-abi=hard"),
        flash_bytes=512 * KIB,
        ram=0x21000000,
        ram_bytes=2048 * KIB,
    ),
    Board(
        name="RV32IMC",
        family="riscv",
        machine="virt",
        flags=("-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32"),
        flash=0x80000000,
        ram=0x80400000,
    ),
    Board(
        name="ATmega328P",
        family="avr",
        machine="atmega328p",
        flags=("-mmcu=atmega328p",),
        flash_bytes=32256,
        ram_bytes=2048,
    ),
    Board(
        name="ATmega2560",
        family="avr",
        machine="atmega2560",
        flags=("-mmcu=atmega2560",),
        flash_bytes=253952,
        ram_bytes=8192,
    ),
)
QUICK = ("Cortex-M4", "ATmega328P")


def missing(board: Board) -> str | None:
    """Returns which packages a board needs that are not here; None if there are none."""
    programs = [COMPILERS[board.family], EMULATORS[board.family]]
    lacking = [program for program in programs if shutil.which(program) is None]
    if board.family == "avr" and not all(header.exists() for header in SIMAVR_HEADERS):
        lacking = list(dict.fromkeys([*lacking, "simavr"]))
    absent = [package for program in lacking for package in PACKAGES[program]]
    return f"apt-get install {' '.join(absent)}" if absent else None


def by_name(name: str) -> Board:
    """Returns a board.

    Raises:
        ToolkitError: there is none of that name.
    """
    for board in BOARDS:
        if board.name.lower() == name.lower():
            return board
    raise ToolkitError(
        f"got --board {name}, expected one of {', '.join(board.name for board in BOARDS)}"
    )
