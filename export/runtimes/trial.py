"""A file's first run, in processes of its own: a runtime that crashes takes only that one along.

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
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from export.runtimes.open import MODES, open_runner
from export.runtimes.predict import predict
from train.common.command.interrupts import SIGNALS, end_with_parent
from train.common.command.native_output import captured_native_output, release_native_output
from train.common.errors import ArtifactError

GRAIN = 960  # examples: whole batches of most sizes
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
    with ExitStack() as stack:
        log = stack.enter_context(captured_native_output())
        files, children, parent = [], [], os.getpid()
        for part in _parts(inputs):
            files.append(stack.enter_context(tempfile.TemporaryFile()))
            children.append(os.fork())
            if children[-1] == 0:
                _answer(runtime, path, part, files[-1], parent)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        found = [_read(file) for file in files] if not any(statuses) else []
    for status in statuses:
        if os.WIFSIGNALED(status):
            said = [f": {line.strip()}" for line in log.text.splitlines() if line.strip()]
            raise ArtifactError(
                f"{NAMES[runtime]} crashes when it loads or runs the file "
                f"({signal.Signals(os.WTERMSIG(status)).name}{''.join(said[-1:])})"
            )
    if not found:
        with open_runner(runtime, path, threads=1) as runner:  # which raises it here
            return predict(runner, inputs)
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _parts(inputs: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Returns examples in a part for each processor, of whole grains but for the end."""
    count = len(next(iter(inputs.values())))
    grains = max(1, count // GRAIN)
    parts = min(len(os.sched_getaffinity(0)), grains)
    ends = [GRAIN * (grains * number // parts) for number in range(parts)]
    return [
        {name: values[start:end] for name, values in inputs.items()}
        for start, end in zip(ends, [*ends[1:], count], strict=True)
    ]


def _read(results: IO[bytes]) -> dict[str, np.ndarray]:
    results.seek(0)
    names = json.loads(results.readline())
    return {name: np.load(results, allow_pickle=False) for name in names}


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
