"""Time per operator, as the runtimes' own profilers say it. Light.

Both runtimes record whole microseconds a call. XNNPACK rounds each call down, so the true mean
lies between what is shown and one more; ONNX Runtime's own cost of two to three microseconds is
in every node. That tells where the time goes in a large model, and little in a small one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmark.measure.profilers.litert import profile_litert
from benchmark.measure.profilers.onnxruntime import profile_onnxruntime
from benchmark.measure.profilers.operator_time import OperatorTime
from export.runtimes.open import MODES
from export.runtimes.runner import Values
from train.common.errors import ArtifactError


def profile(
    runtime: str, path: Path, inputs: Sequence[Values], *, threads: int, mode: str | None
) -> list[OperatorTime]:
    """Returns the operators in the order in which they run, each timed once an input.

    Args:
        runtime: `litert` or `onnxruntime`.
        path: the exported file.
        inputs: at least one example, as a runner takes it.
        threads: how many threads the runtime may use for one inference.
        mode: as in `export.runners.MODES`.

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
