"""Runs a built program on an emulated core, on every input given."""

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.deploy.cores.build import build_simulator
from export.deploy.cores.core import EMULATORS, Core
from train.common.errors import ToolkitError

TIMEOUT_S = 1800
LOOP = 200_000  # instructions in emulated.c's loop
ANSWER = struct.Struct("<IH")  # what uart.c sends behind the output: cycles, bytes of stack


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What an emulated core did.

    Attributes:
        outputs: (N, bytes) int8.
        steps: instructions per inference under qemu, cycles of the chip in simavr; the mean.
        stack: the most bytes of stack.
    """

    outputs: np.ndarray
    steps: float
    stack: int


def run(
    core: Core, program: Path, inputs: np.ndarray, made: int, timeout_s: int = TIMEOUT_S
) -> Ran:
    """Runs a program on an emulated core.

    Args:
        core: what is emulated.
        program: as `build` makes it; what is exchanged with it stands beside it.
        inputs: (N, bytes) int8.
        made: bytes of one output.
        timeout_s: within which it has to answer.

    Raises:
        ToolkitError: it crashed, or did not answer.
    """
    folder = program.parent
    write_inputs(folder, inputs)
    if core.family == "avr":
        return _on_avr(core, program, inputs, made, timeout_s)
    command = [EMULATORS[core.family], "-M", core.machine, "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-icount", "shift=0", "-kernel", str(program)]
    command += ["-semihosting-config", "enable=on,target=native"]
    if core.family == "riscv":
        command += ["-bios", "none"]
    execute(command, folder, timeout_s)
    loop, ticks, stack, count = np.fromfile(folder / "figures.bin", "<u4").tolist()
    if count != len(inputs):
        raise ToolkitError(f"{core.name} answered {count} of {len(inputs)} times")
    return Ran(
        outputs=read_outputs(folder, len(inputs), made),
        steps=ticks / count * LOOP / loop,
        stack=stack,
    )


def _on_avr(core: Core, program: Path, inputs: np.ndarray, made: int, timeout_s: int) -> Ran:
    folder = program.parent
    simulator = build_simulator(folder)
    answer = made + ANSWER.size
    files = (str(program), "input.bin", "output.bin")
    sizes = (str(inputs.shape[1]), str(answer))
    execute([str(simulator), core.machine, *files, *sizes], folder, timeout_s)
    rows = read_outputs(folder, len(inputs), answer)
    figures = [ANSWER.unpack(row[made:].tobytes()) for row in rows]
    return Ran(
        outputs=rows[:, :made],
        steps=float(np.mean([cycles for cycles, _ in figures])),
        stack=max(stack for _, stack in figures),
    )


def write_inputs(folder: Path, inputs: np.ndarray) -> None:
    """Writes `input.bin` for a program: inputs (N, bytes) int8; removes what it wrote before."""
    for name in ("output.bin", "figures.bin"):
        (folder / name).unlink(missing_ok=True)
    (folder / "input.bin").write_bytes(np.ascontiguousarray(inputs).tobytes())


def read_outputs(folder: Path, count: int, made: int) -> np.ndarray:
    """Returns what a program wrote to `output.bin`, (count, made) int8.

    Raises:
        ToolkitError: it is not so many bytes.
    """
    found = np.fromfile(folder / "output.bin", np.int8)
    if found.size != count * made:
        raise ToolkitError(f"got {found.size} bytes of output, expected {count} times {made}")
    return found.reshape(count, made)


def execute(command: Sequence[str], folder: Path, timeout_s: int = TIMEOUT_S) -> None:
    """Runs an emulator or another program in a folder.

    Raises:
        ToolkitError: it fails, or takes too long.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolkitError(f"{command[0]} took more than {timeout_s} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ToolkitError(f"{command[0]} ended with exit code {done.returncode}: {said}")
