"""A file's first run, in a process of its own: a runtime that crashes takes only that one along.

LiteRT aborts, or frees memory twice, on some of the files that TFLite's converter makes without
complaint, such as an integer division by what rounds to zero.
"""

import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from export.runtimes.open import MODES, open_runner
from export.runtimes.predict import predict
from train.common.command.interrupts import SIGNALS, end_with_parent
from train.common.command.native_output import captured_native_output, release_native_output
from train.common.errors import ArtifactError

NAMES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}


def first_outputs(
    runtime: str, path: Path, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns the real outputs, (N, …) float32 by name, of a file that may crash its runtime.

    Args:
        runtime: the file's.
        path: the file.
        inputs: (N, …) by name, preprocessed, N ≥ 1; the runtime's other modes get the first.

    Raises:
        ArtifactError: the runtime crashes, or refuses file or inputs.
    """
    if sys.platform != "linux":  # where a process that has started threads may not be forked
        with open_runner(runtime, path, threads=1) as runner:
            return predict(runner, inputs)
    with tempfile.TemporaryFile() as results, captured_native_output() as log:
        parent, child = os.getpid(), os.fork()
        if child == 0:
            _answer(runtime, path, inputs, results, parent)
        _, status = os.waitpid(child, 0)
        results.seek(0)
        names = json.loads(results.readline()) if status == 0 else ()
        outputs = {name: np.load(results, allow_pickle=False) for name in names}
    if os.WIFSIGNALED(status):
        said = [f": {line.strip()}" for line in log.text.splitlines() if line.strip()]
        raise ArtifactError(
            f"{NAMES[runtime]} crashes when it loads or runs the file "
            f"({signal.Signals(os.WTERMSIG(status)).name}{''.join(said[-1:])})"
        )
    if status:
        with open_runner(runtime, path, threads=1) as runner:  # which raises it here
            return predict(runner, inputs)
    return outputs


def _answer(
    runtime: str,
    path: Path,
    inputs: Mapping[str, np.ndarray],
    results: IO[bytes],
    parent: int,
) -> NoReturn:
    """Writes the outputs' names, as JSON, and the outputs; ends the process."""
    code = 1
    try:
        gc.disable()  # TensorFlow's objects crash when they are freed where its threads are not
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        end_with_parent(parent)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.disable()
        release_native_output()
        first = {name: values[:1] for name, values in inputs.items()}
        for mode in MODES[runtime][1:]:
            with open_runner(runtime, path, threads=1, mode=mode) as runner:
                predict(runner, first)
        with open_runner(runtime, path, threads=1) as runner:
            outputs = predict(runner, inputs)
        results.write(json.dumps(list(outputs)).encode() + b"\n")
        for values in outputs.values():
            np.save(results, values, allow_pickle=False)
        results.flush()
        code = 0
    finally:
        os._exit(code)
