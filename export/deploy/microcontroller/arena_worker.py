"""The process that looks for a model's smallest tensor arena: a script, run by `arena.py`.

Each attempt runs in a fork of its own, because TFLM does not refuse an arena that is far too
small: it crashes. Imports nothing of this toolkit, so that a fork stays small and a run needs no
search path.

    python arena_worker.py MODEL.tflite INPUTS.npy STEP_BYTES LIMIT_BYTES

The last line on standard output is the arena in bytes, or 0 if none up to the limit will do. What
TFLM says goes to standard error; the first attempt is the one with the limit.
"""

import hashlib
import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np

ATTEMPT_S = 600  # of CPU


def main(model: bytes, inputs: np.ndarray, step_bytes: int, limit_bytes: int) -> int:
    """Returns the smallest multiple of `step_bytes` that does what `limit_bytes` does, or 0.

    Bisection: TFLM fills the arena from both ends towards the middle, so that what fits into one
    arena fits into every larger one.

    Args:
        model: the file's bytes.
        inputs: (N, 1, …) of the input's dtype.
        step_bytes: the arena's granularity.
        limit_bytes: the largest arena that is tried.
    """
    expected = attempt(model, inputs, limit_bytes, report=True)
    if expected is None:
        return 0
    too_small, enough = 0, limit_bytes // step_bytes
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if attempt(model, inputs, middle * step_bytes) == expected:
            enough = middle
        else:
            too_small = middle
    return enough * step_bytes


def attempt(
    model: bytes, inputs: np.ndarray, arena_bytes: int, *, report: bool = False
) -> bytes | None:
    """Returns a hash of the model's outputs in an arena of a size; None if that fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (ATTEMPT_S, ATTEMPT_S))
        try:
            os.write(writing, outputs_hash(model, inputs, arena_bytes, report=report))
        except (RuntimeError, ValueError, MemoryError) as error:
            print(error, file=sys.stderr, flush=True)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        print(f"{len(inputs)} inferences take more than {ATTEMPT_S} s", file=sys.stderr, flush=True)
    return answer or None


def outputs_hash(model: bytes, inputs: np.ndarray, arena_bytes: int, *, report: bool) -> bytes:
    """Returns the SHA-256 of the stored outputs; TFLM's account of the arena goes to stderr."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    digest = hashlib.sha256()
    for value in inputs:
        interpreter.set_input(value, 0)
        interpreter.invoke()
        digest.update(interpreter.get_output(0).tobytes())
    if report:
        interpreter.print_allocations()
    return digest.digest()


if __name__ == "__main__":
    from tflite_micro import runtime  # noqa: F401 - once here rather than in each fork

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the crashes are expected
    print(
        main(
            Path(sys.argv[1]).read_bytes(),
            np.load(sys.argv[2], allow_pickle=False),
            int(sys.argv[3]),
            int(sys.argv[4]),
        )
    )
