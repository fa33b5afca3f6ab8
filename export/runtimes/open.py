"""Opens an exported file on its runtime.

Adding a runtime is one file in this folder and one line in `RUNNERS`.
"""

from pathlib import Path

from export.runtimes.c import CRunner
from export.runtimes.keras import KerasRunner
from export.runtimes.litert import LiteRTRunner
from export.runtimes.onnxruntime import ONNXRuntimeRunner
from export.runtimes.runner import Runner
from export.runtimes.wasm import WasmRunner
from train.common.errors import ArtifactError

RUNNERS: dict[str, type[Runner]] = {
    "litert": LiteRTRunner,
    "onnxruntime": ONNXRuntimeRunner,
    "keras": KerasRunner,
    "c": CRunner,
    "wasm": WasmRunner,
}
# What `mode` may be for each runtime, its default first.
MODES = {runtime: runner.modes for runtime, runner in RUNNERS.items()}


def open_runner(runtime: str, path: Path, *, threads: int, mode: str | None = None) -> Runner:
    """Returns a context manager that loads a file on a runtime when entered.

    Args:
        runtime: one of `RUNNERS`; `keras` is for the source model itself.
        path: the exported file.
        threads: how many threads the runtime may use for one inference.
        mode: LiteRT's kernels or ONNX Runtime's level of graph optimization, as in `MODES`;
            None for the runtime's default.

    Raises:
        ArtifactError: the runtime is unknown; on entering, the runtime refuses the file.
    """
    if runtime not in RUNNERS:
        raise ArtifactError(f"{path}: got runtime {runtime!r}, expected {', '.join(RUNNERS)}")
    return RUNNERS[runtime](path, threads=threads, mode=mode)
