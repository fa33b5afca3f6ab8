"""The cores that firmware is built for and emulated on: flags, memories, the programs needed."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
class Core:
    """A core, on a board that is emulated.

    Attributes:
        name: in tables and for `core_named`.
        family: which compiler builds for it.
        machine: the emulator's name of the board.
        flags: the compiler's.
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


CORES = (
    Core(
        name="Cortex-M0",
        family="arm",
        machine="microbit",
        flags=("-mcpu=cortex-m0",),
        flash_bytes=256 * KIB,
        ram_bytes=16 * KIB,
    ),
    Core(name="Cortex-M3", family="arm", machine="mps2-an385", flags=("-mcpu=cortex-m3",)),
    Core(name="Cortex-M4", family="arm", machine="mps2-an386", flags=("-mcpu=cortex-m4",)),
    Core(name="Cortex-M7", family="arm", machine="mps2-an500", flags=("-mcpu=cortex-m7",)),
    Core(
        name="Cortex-M33",
        family="arm",
        machine="mps2-an505",
        flags=("-mcpu=cortex-m33", "-mfloat-abi=soft"),
        flash=0x10000000,
        ram=0x38000000,
    ),
    Core(
        name="Cortex-M55",
        family="arm",
        machine="mps3-an547",
        flags=("-mcpu=cortex-m55", "-mfloat-abi=hard"),
        flash_bytes=512 * KIB,
        ram=0x21000000,
        ram_bytes=2048 * KIB,
    ),
    Core(
        name="RV32IMC",
        family="riscv",
        machine="virt",
        flags=("-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32"),
        flash=0x80000000,
        ram=0x80400000,
    ),
    Core(
        name="ATmega328P",
        family="avr",
        machine="atmega328p",
        flags=("-mmcu=atmega328p",),
        flash_bytes=32256,
        ram_bytes=2048,
    ),
    Core(
        name="ATmega2560",
        family="avr",
        machine="atmega2560",
        flags=("-mmcu=atmega2560",),
        flash_bytes=253952,
        ram_bytes=8192,
    ),
)
# Cores that run the instructions of another one, by which they are measured.
SAME_AS = {"Cortex-M0+": "Cortex-M0"}
QUICK = ("Cortex-M4", "ATmega328P")


def missing(
    core: Core, programs: Sequence[Mapping[Family, str]] = (COMPILERS, EMULATORS)
) -> str | None:
    """Returns which packages a core needs that are not here; None if there are none.

    Args:
        core: the core.
        programs: what is needed, `COMPILERS` or `EMULATORS` or both.
    """
    wanted = [kind[core.family] for kind in programs]
    lacking = [program for program in wanted if shutil.which(program) is None]
    if "simavr" in wanted and not all(header.exists() for header in SIMAVR_HEADERS):
        lacking = list(dict.fromkeys([*lacking, "simavr"]))
    absent = [package for program in lacking for package in PACKAGES[program]]
    return f"apt-get install {' '.join(absent)}" if absent else None


def roomy(core: Core) -> Core:
    """Returns a core with the memory of the largest emulated board that runs its programs.

    A Cortex-M3 has all instructions of a Cortex-M0, whose emulated board is small.
    """
    if core.name != "Cortex-M0":
        return core
    large = core_named("Cortex-M3")
    return replace(large, name=core.name, flags=core.flags)


def core_named(name: str) -> Core:
    """Returns a core, or the one that has its instructions, whatever the case of its name.

    Raises:
        ToolkitError: there is none of that name.
    """
    same = {each.lower(): other for each, other in SAME_AS.items()}
    wanted = same.get(name.lower(), name)
    for core in CORES:
        if core.name.lower() == wanted.lower():
            return core
    raise ToolkitError(f"got core {name}, expected one of {', '.join(core.name for core in CORES)}")
