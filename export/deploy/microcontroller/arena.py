"""The tensor arena that an inference really needs, found in TFLM's own interpreter.

Measured with the reference kernels on x86-64. A 32-bit device with the same kernels needs less:
TFLM keeps its structures in the arena, and half of what they hold are pointers. A device with
optimized kernels (CMSIS-NN, ESP-NN) may need more: those ask for scratch buffers of their own.
"""

import importlib.util
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.deploy.microcontroller.operators import unsupported
from export.runtimes.runner import missing_operator
from export.runtimes.tflm import is_published_here
from train.common.errors import ArtifactError, MissingPackageError, ToolkitError

WORKER = Path(__file__).with_name("arena_worker.py")
ALIGNMENT_BYTES = 16  # what TFLM aligns an arena and its buffers to
MAX_ARENA_BYTES = 64 * 1024 * 1024  # more than any microcontroller has
IMAGES = 8
TOTAL = re.compile(r"Arena allocation total (\d+) bytes")


@dataclass(frozen=True, kw_only=True)
class Arena:
    """A tensor arena.

    Attributes:
        size_bytes: the smallest multiple of `ALIGNMENT_BYTES` in which the model loads and gives
            the same outputs as in `MAX_ARENA_BYTES`.
        recorded_bytes: what TFLM's recording allocator says that it used of a large arena; it
            leaves out what loading takes for a time (the scales of wide layers), so that a model
            may not load in so little.
        images: on how many inputs the outputs were compared.
    """

    size_bytes: int
    recorded_bytes: int
    images: int


def check_interpreter() -> None:
    """Checks that TFLM's interpreter is here.

    Raises:
        ToolkitError: it does not exist for this kind of machine.
        MissingPackageError: it is not installed.
    """
    if not is_published_here():
        raise ToolkitError(
            f"tflm: got {sys.platform} on {platform.machine()}, expected Linux on x86-64, the "
            "only machine that TFLM's interpreter is published for; run this format there"
        )
    if importlib.util.find_spec("tflite_micro") is None:
        raise MissingPackageError(ModuleNotFoundError(name="tflite_micro"))


def measure_arena(
    model: Path, inputs: np.ndarray, folder: Path, limit_bytes: int = MAX_ARENA_BYTES
) -> Arena:
    """Returns the smallest arena in which a model runs.

    Args:
        model: a `.tflite` file with a fixed batch.
        inputs: (calls, batch, …) of the input's dtype.
        folder: a temporary folder.
        limit_bytes: the largest arena that is tried.

    Raises:
        ArtifactError: TFLM lacks an operator, or no arena up to the limit will do; why is said.
    """
    np.save(folder / "inputs.npy", inputs)
    numbers = (str(ALIGNMENT_BYTES), str(limit_bytes))
    done = subprocess.run(
        [sys.executable, "-P", WORKER, model, folder / "inputs.npy", *numbers],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode != 0:
        raise ArtifactError(f"tflm: the search for the arena failed: {(said or ['–'])[-1]}")
    size_bytes = int(done.stdout.split()[-1])
    if size_bytes == 0:
        missing = missing_operator(done.stderr)
        if missing:
            raise unsupported(missing)
        raise ArtifactError(
            f"tflm: no tensor arena up to {limit_bytes:,} bytes will do: "
            f"{(said or ['TFLM crashed'])[0]}; make the model smaller"
        )
    recorded = TOTAL.search(done.stderr)
    if recorded is None:
        raise ArtifactError("tflm: TFLM said nothing of its arena; install the version locked here")
    return Arena(
        size_bytes=size_bytes,
        recorded_bytes=int(recorded[1]),
        images=inputs.shape[0] * inputs.shape[1],
    )
