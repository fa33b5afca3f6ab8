"""Which operators a runtime runs, and how long each takes, as its own profiler says.

Both runtimes record whole microseconds a call. XNNPACK rounds each call down, so the true mean
lies between what is shown and one more; ONNX Runtime's own cost of two to three microseconds is
in every node. That tells where the time goes in a large model, and little in a small one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.worker.profilers.litert import profile_litert
from benchmark.measure.worker.profilers.onnxruntime import profile_onnxruntime
from benchmark.measure.worker.profilers.operator_time import OperatorTime
from export.runtimes.litert import LiteRTRunner
from export.runtimes.onnxruntime import ONNXRuntimeRunner
from export.runtimes.open import MODES
from export.runtimes.runner import Runner, Values
from train.common.errors import ArtifactError


def profile(
    runtime: str, path: Path, inputs: Sequence[Values], *, threads: int, mode: str | None
) -> list[OperatorTime]:
    """Returns the operators in the order in which they run, each timed once per input.

    Args:
        runtime: `litert` or `onnxruntime`.
        path: the exported file.
        inputs: at least one example, as a runner takes it.
        threads: how many threads the runtime may use for one inference.
        mode: as in `export.runtimes.open.MODES`.

    Raises:
        ArtifactError: the runtime has no profiler for this, or refuses the file.
    """
    if runtime == "litert" and mode in (None, MODES["litert"][0]):
        arrays = [value for value in inputs if isinstance(value, np.ndarray)]
        if len(arrays) < len(inputs):
            raise ArtifactError("LiteRT's profiler is asked of models with one input only")
        return profile_litert(path, arrays, threads)
    if runtime == "onnxruntime":
        return profile_onnxruntime(path, inputs, threads, mode)
    raise ArtifactError(f"{runtime} has no profiler for {mode or 'this'}")


def operators(
    runner: Runner, path: Path, inputs: Sequence[Values], *, threads: int, mode: str | None
) -> dict[str, Any]:
    """Returns the names of the operators that run, as a JSON object; empty where none are known.

    LiteRT: `operators`, those of the file, and `undelegated`, those that no delegate took. ONNX
    Runtime: `operators`, the nodes of its optimized graph, by its profiler.

    Args:
        runner: the loaded file.
        path: the file.
        inputs: at least one example, as the runner takes it.
        threads: as the file was loaded with.
        mode: as the file was loaded with.

    Raises:
        ArtifactError: ONNX Runtime's profile is not as expected.
    """
    if isinstance(runner, LiteRTRunner):
        found = runner.operators()
        return {} if found is None else {"operators": found[0], "undelegated": found[1]}
    if isinstance(runner, ONNXRuntimeRunner):
        nodes = profile_onnxruntime(path, inputs, threads, mode, warm_up_calls=0)
        return {"operators": [node.name for node in nodes]}
    return {}
