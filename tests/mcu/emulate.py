"""Runs a built program on an emulated board, on every input given."""

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.mcu.boards import EMULATORS, Board
from tests.mcu.build import build_simulator
from train.common.errors import ToolkitError

TIMEOUT_S = 1800
LOOP = 200_000  # instructions in emulated.c's loop
ANSWER = struct.Struct("<IH")  # what uart.c sends behind the output: cycles, bytes of stack


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What an emulated board did.

    Attributes:
        outputs: (N, bytes) int8.
        steps: instructions per inference under qemu, cycles of the chip in simavr; the mean.
        stack: the most bytes of stack.
    """

    outputs: np.ndarray
    steps: float
    stack: int


def run_here(program: Path, inputs: np.ndarray, made: int) -> np.ndarray:
    """Returns a program's outputs (N, made) int8 on inputs (N, bytes) int8, on this machine."""
    _write(program.parent, inputs)
    _run([str(program)], program.parent)
    return _outputs(program.parent, len(inputs), made)


def run(board: Board, program: Path, inputs: np.ndarray, made: int) -> Ran:
    """Runs a program on an emulated board.

    Args:
        board: what is emulated.
        program: as `build` makes it; what is exchanged with it stands beside it.
        inputs: (N, bytes) int8.
        made: bytes of one output.

    Raises:
        ToolkitError: it crashed, or did not answer.
    """
    folder = program.parent
    _write(folder, inputs)
    if board.family == "avr":
        return _on_avr(board, program, inputs, made)
    command = [EMULATORS[board.family], "-M", board.machine, "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-icount", "shift=0", "-kernel", str(program)]
    command += ["-semihosting-config", "enable=on,target=native"]
    if board.family == "riscv":
        command += ["-bios", "none"]
    _run(command, folder)
    loop, ticks, stack, count = np.fromfile(folder / "figures.bin", "<u4").tolist()
    if count != len(inputs):
        raise ToolkitError(f"{board.name} answered {count} of {len(inputs)} times")
    return Ran(
        outputs=_outputs(folder, len(inputs), made),
        steps=ticks / count * LOOP / loop,
        stack=stack,
    )


def _on_avr(board: Board, program: Path, inputs: np.ndarray, made: int) -> Ran:
    folder = program.parent
    simulator = build_simulator(folder)
    answer = made + ANSWER.size
    files = (str(program), "input.bin", "output.bin")
    _run([str(simulator), board.machine, *files, str(inputs.shape[1]), str(answer)], folder)
    rows = _outputs(folder, len(inputs), answer)
    figures = [ANSWER.unpack(row[made:].tobytes()) for row in rows]
    return Ran(
        outputs=rows[:, :made],
        steps=float(np.mean([cycles for cycles, _ in figures])),
        stack=max(stack for _, stack in figures),
    )


def _write(folder: Path, inputs: np.ndarray) -> None:
    for name in ("output.bin", "figures.bin"):
        (folder / name).unlink(missing_ok=True)
    (folder / "input.bin").write_bytes(np.ascontiguousarray(inputs).tobytes())


def _outputs(folder: Path, count: int, made: int) -> np.ndarray:
    found = np.fromfile(folder / "output.bin", np.int8)
    if found.size != count * made:
        raise ToolkitError(f"got {found.size} bytes of output, expected {count} times {made}")
    return found.reshape(count, made)


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolkitError(f"{command[0]} took more than {TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ToolkitError(f"{command[0]} ended with exit code {done.returncode}: {said}")
