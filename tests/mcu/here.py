"""The generated C on this machine, as a program that reads and writes files."""

from pathlib import Path

import numpy as np

from export.deploy.c.host import STRICT, compiler
from export.deploy.cores.build import run_command
from export.deploy.cores.emulate import execute, read_outputs, write_inputs

NATIVE = Path(__file__).with_name("native.c")
SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build_here(folder: Path, *flags: str) -> Path:
    """Builds the model for this machine."""
    program = folder / "native"
    sources = [folder / "model.c", NATIVE]
    run_command([compiler(), *STRICT, *(flags or SANITIZE), f"-I{folder}", *sources, "-o", program])
    return program


def run_here(program: Path, inputs: np.ndarray, made: int) -> np.ndarray:
    """Returns a program's outputs (N, made) int8 on inputs (N, bytes) int8."""
    write_inputs(program.parent, inputs)
    execute([str(program)], program.parent)
    return read_outputs(program.parent, len(inputs), made)
