"""Builds the generated C for a core, and reads what it takes of flash and RAM."""

import re
import shutil
import string
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.deploy.c.header import C_TYPES
from export.deploy.c.host import STRICT, compiler
from export.deploy.cores.core import BUILD_FLAGS, COMPILERS, LINK_FLAGS, Core, Family
from train.common.errors import ToolkitError

FIRMWARE = Path(__file__).with_name("firmware")
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
TOO_LARGE = re.compile(r"region [`']?(?P<name>\w+)'? overflowed by (?P<bytes>\d+) bytes")
OUTSIDE = re.compile(r"(?:is not within|will not fit in) region [`']?(?P<name>\w+)")
VARIABLE = re.compile(r"size of array .(arena|given|made)\b.* is too large")
DOES_NOT_FIT = "does not fit: "  # what a row says where a program is too large for it
RAM = ("RAM", "data")  # what linker scripts call it
# AVR's `__flash` is an extension of C99.
DIALECT: dict[Family, tuple[str, ...]] = {"arm": (), "riscv": (), "avr": ("-std=gnu99",)}
FIRMWARE_FLAGS = ("-std=gnu99", "-Wall", "-Wextra", "-Werror")
MAIN = {"arm": "emulated.c", "riscv": "emulated.c", "avr": "uart.c"}
CONSTANTS = (".rodata", ".progmem")
STACK_BYTES = 8192  # painted at most


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes of a program.

    Attributes:
        flash: all of it, with start-up code and what comes from libraries.
        constants: of these, the model's constants.
        ram: variables: the arena, the input and the output.
        in_ram: of these, what is copied from flash at the start.
    """

    flash: int
    constants: int
    ram: int
    in_ram: int


End = tuple[int, str]  # how many values an input or output has, and numpy's name of their type


@dataclass(frozen=True, kw_only=True)
class Built:
    """What was built for a core.

    Attributes:
        program: an ELF file that takes inputs and answers.
        answering: its size.
        bare: the size of a program with nothing but the model.
    """

    program: Path
    answering: Size
    bare: Size


class DoesNotFitError(ToolkitError):
    """A program that is larger than the core's flash or RAM."""


def write_interface(given: Sequence[End], made: Sequence[End], folder: Path) -> tuple[int, int]:
    """Writes `run.h`, which runs a model on all its inputs in a row.

    Args:
        given: the inputs.
        made: the outputs.
        folder: where to.

    Returns:
        The bytes of all inputs and of all outputs.
    """
    arguments = [*_arguments("given", given, "const "), *_arguments("made", made, "")]
    counts = _bytes_of(given), _bytes_of(made)
    widest = max(np.dtype(dtype).itemsize for _, dtype in (*given, *made))
    (folder / "run.h").write_text(
        f"#define GIVEN_BYTES {counts[0]}\n#define MADE_BYTES {counts[1]}\n"
        f"#define ALIGNED __attribute__((aligned({widest})))\n"
        f"#define STACK_BYTES {STACK_BYTES}\n"
        f"#define RUN(given, made) model_run({', '.join(arguments)})\n",
        encoding="utf-8",
    )
    return counts


def _arguments(name: str, ends: Sequence[End], const: str) -> list[str]:
    found, at = [], 0
    for size, dtype in ends:
        found.append(f"({const}{C_TYPES[dtype]} *)(({name}) + {at})")
        at += _bytes_of([(size, dtype)])
    return found


def _bytes_of(ends: Sequence[End]) -> int:
    return sum(size * np.dtype(dtype).itemsize for size, dtype in ends)


def build(core: Core, folder: Path) -> Built:
    """Builds the model for a core.

    Args:
        core: where it will run.
        folder: has `model.c`, `model.h` and `run.h`; what is built is put there.

    Raises:
        DoesNotFitError: the core has too little memory.
        ToolkitError: the compiler fails or warns.
    """
    model = compile_model(core, folder)
    bare, answering = link(core, folder, model), link_answering(core, folder, model)
    built = Built(
        program=answering,
        answering=size_of(core, answering, model),
        bare=size_of(core, bare, model),
    )
    largest = built.answering
    if largest.flash > core.flash_bytes or largest.ram > core.ram_bytes:
        raise DoesNotFitError(f"{largest.flash:,} bytes of flash, {largest.ram:,} of RAM")
    return built


def compile_model(core: Core, folder: Path, *flags: str) -> Path:
    """Returns the object file of the model in a folder; raises as `build`."""
    model = folder / "model.o"
    dialect = DIALECT[core.family]
    source = ("-c", folder / "model.c", "-o", model)
    run_command([*_common(core, folder), *STRICT, *dialect, *SECTIONS[:2], *flags, *source])
    return model


def link(core: Core, folder: Path, model: Path, main: str = "bare.c", *flags: str) -> Path:
    """Returns a program with a model, of one of the main programs in `firmware/`.

    By default the one with nothing but the model. Raises as `build`.
    """
    program = folder / f"{main.removesuffix('.c')}.elf"
    linked = [*_common(core, folder), *FIRMWARE_FLAGS, *SECTIONS, *LINK_FLAGS[core.family]]
    sources = [FIRMWARE / main]
    if core.family != "avr":
        text = string.Template((FIRMWARE / "board.ld").read_text(encoding="utf-8")).substitute(
            flash=core.flash,
            flash_bytes=core.flash_bytes,
            ram=core.ram,
            ram_bytes=core.ram_bytes,
        )
        (folder / "board.ld").write_text(text, encoding="utf-8")
        linked += ["-T", str(folder / "board.ld")]
        sources.insert(0, FIRMWARE / "start.c")
    run_command([*linked, *flags, *sources, model, "-o", program])
    return program


def link_answering(core: Core, folder: Path, model: Path, *flags: str) -> Path:
    """Returns the program that takes inputs and answers; raises as `build`."""
    return link(core, folder, model, MAIN[core.family], *flags).rename(folder / "answering.elf")


def _common(core: Core, folder: Path) -> list[str]:
    return [COMPILERS[core.family], *BUILD_FLAGS[core.family], *core.flags, f"-I{folder}"]


def build_simulator(folder: Path) -> Path:
    """Builds the program that runs AVR programs, for this machine."""
    program = folder / "simulator"
    if not program.exists():  # for another core
        run_command(
            [compiler(), "-O2", FIRMWARE / "simulator.c", "-o", program, "-lsimavr", "-lelf"]
        )
    return program


def size_of(core: Core, program: Path, model: Path) -> Size:
    """Returns the size of a program, and of the constants in its model's object file."""
    sections, own = _sections(core, program), _sections(core, model)

    def total(found: dict[str, int], *names: str) -> int:
        return sum(size for name, size in found.items() if name.startswith(names))

    data = total(sections, ".data")
    return Size(
        flash=total(sections, ".text", ".rodata") + data,
        constants=total(own, *CONSTANTS),
        ram=data + total(sections, ".bss", ".noinit"),
        in_ram=data,
    )


def _sections(core: Core, file: Path) -> dict[str, int]:
    size = COMPILERS[core.family].replace("gcc", "size")
    lines = run_command([size, "-A", "-d", file]).splitlines()
    return {
        parts[0]: int(parts[1])
        for parts in map(str.split, lines)
        if len(parts) == 3 and parts[1].isdigit()
    }


def run_command(command: Sequence[str | Path]) -> str:
    """Runs a compiler or the like, and returns what it says.

    Raises:
        DoesNotFitError: the linker says so.
        ToolkitError: it is not there, or fails.
    """
    name = shutil.which(str(command[0]))
    if name is None:
        raise ToolkitError(f"got no {command[0]}, which builds for this core")
    done = subprocess.run(
        [name, *map(str, command[1:])],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return done.stdout
    if found := TOO_LARGE.search(done.stderr) or OUTSIDE.search(done.stderr):
        where = "RAM" if found["name"] in RAM else "flash"
        count = found.groupdict().get("bytes")
        much = f"{int(count):,} bytes more" if count else "more"
        raise DoesNotFitError(f"it needs {much} {where} than there is")
    if VARIABLE.search(done.stderr):
        raise DoesNotFitError("its variables are more than the core's pointers reach")
    if "is too large" in done.stderr:
        raise DoesNotFitError("its constants are more than the core's pointers reach")
    said = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr.strip()]
    raise ToolkitError(f"{command[0]} failed: {said[0]}")
