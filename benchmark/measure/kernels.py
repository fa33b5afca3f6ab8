"""Which operators a runtime really runs of a file: fused, delegated or left as they are. Light."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.measure.profilers.onnxruntime import profile_onnxruntime
from export.runtimes.litert import LiteRTRunner
from export.runtimes.onnxruntime import ONNXRuntimeRunner
from export.runtimes.runner import Runner, Values


def kernels(
    runner: Runner, path: Path, inputs: Sequence[Values], *, threads: int, mode: str | None
) -> dict[str, Any]:
    """Returns the names of the operators as a JSON object; empty where the runtime won't say.

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
