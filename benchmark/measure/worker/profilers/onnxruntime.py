"""Times each node of an `.onnx` file with ONNX Runtime's own profiler."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.measure.worker.profilers.operator_time import OperatorTime
from export.runtimes.onnxruntime import OPTIMIZATION
from export.runtimes.runner import Values, unpack
from train.common.errors import ArtifactError

WARM_UP_CALLS = 100
SUFFIX = "_kernel_time"


def profile_onnxruntime(
    path: Path,
    inputs: Sequence[Values],
    threads: int,
    optimization: str | None = None,
    warm_up_calls: int = WARM_UP_CALLS,
) -> list[OperatorTime]:
    """Returns the nodes of the optimized graph, in run order, each timed once an input.

    Args:
        path: an `.onnx` file.
        inputs: what it is run on, one after the other, as a runner takes it.
        threads: how many threads the runtime may use for one inference.
        optimization: as in `export.runtimes.onnxruntime.OPTIMIZATION`; None for the default.
        warm_up_calls: how many calls go before the timed ones.

    Raises:
        ArtifactError: the profile does not hold the same nodes for every input.
    """
    import onnxruntime

    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        level = OPTIMIZATION[optimization or "all"]
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        names = [given.name for given in session.get_inputs()]
        feeds = [dict(zip(names, unpack(values), strict=True)) for values in inputs]
        try:
            for index in range(warm_up_calls):
                session.run(None, feeds[index % len(feeds)])
            for feed in feeds:
                session.run(None, feed)
        finally:  # else the session writes the file when it is destroyed, the folder being gone
            written = session.end_profiling()
        events = json.loads(Path(written).read_text(encoding="utf-8"))
    runs = _runs(events)[warm_up_calls:]
    if len(runs) != len(inputs):  # the profiler stops recording at a million events
        raise ArtifactError(f"{path}: recorded {len(runs)} runs, expected {len(inputs)}")
    if len({tuple(event["name"] for event in run) for run in runs}) != 1 or not runs[0]:
        raise ArtifactError(f"ONNX Runtime did not run the same nodes of {path} every time")
    return [
        OperatorTime(
            name=calls[0]["args"]["op_name"],
            node=calls[0]["name"].removesuffix(SUFFIX),
            source=calls[0]["args"]["provider"],
            calls=len(calls),
            mean_us=sum(event["dur"] for event in calls) / len(calls),
        )
        for calls in zip(*runs, strict=True)
    ]


def _runs(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    runs: list[list[dict[str, Any]]] = []
    nodes: list[dict[str, Any]] = []
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith(SUFFIX):
            nodes.append(event)
        elif event["name"] == "model_run":  # is recorded when the run has ended
            runs.append(nodes)
            nodes = []
    return runs
