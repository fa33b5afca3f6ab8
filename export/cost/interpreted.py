"""What a file costs that an interpreter runs: LiteRT, TFLM or ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export.cost.cost import Candidate, Cost, Request
from export.cost.latency import latency_us
from export.deploy.microcontroller.arena import check_interpreter, measure_arena
from export.deploy.microcontroller.boards import CORE_RUNTIME_BYTES
from export.runtimes.litert import LiteRTRunner
from export.runtimes.onnxruntime import ONNXRuntimeRunner
from export.runtimes.predict import encode_all
from export.runtimes.runner import Runner, Values, pack, unpack
from train.common.errors import ArtifactError

ARENA_IMAGES = 2


def cost_of_file(request: Request, candidate: Candidate, folder: Path) -> Cost:
    """Returns the cost of a `tflite-int8`, `tflm` or `onnx-int8` file.

    RAM is TFLM's arena, unknown of ONNX Runtime; latency is that of this machine, unknown of TFLM
    and of boards.

    Args:
        request: what is asked for.
        candidate: the file.
        folder: a temporary folder.

    Raises:
        ToolkitError: TFLM's interpreter is not here.
        ArtifactError: a runtime refuses the file.
    """
    target, form = request.target, request.format
    size = candidate.path.stat().st_size
    detail: dict[str, int | str] = {"file": size}
    flash, ram, latency = size, None, None
    if form == "tflm":
        detail["tflm_core"] = CORE_RUNTIME_BYTES
        flash += CORE_RUNTIME_BYTES
    kind = ONNXRuntimeRunner if form == "onnx-int8" else LiteRTRunner
    with kind(candidate.path, threads=1) as runner:
        given = calls(candidate, runner)
        if "ram" in request.needs and form != "onnx-int8":
            ram = _arena(candidate.path, given, folder)
            detail["arena"] = ram
        if "latency" in request.needs and form != "tflm" and target is None:
            latency = latency_us(runner.invoke, given)
            detail["latency_by"] = f"{type(runner).__name__.removesuffix('Runner')}, 1 thread, here"
    return Cost(
        format=form,
        file_bytes=size,
        flash_bytes=flash,
        ram_bytes=ram,
        latency_us=latency,
        multiplications=candidate.multiplications,
        detail=detail,
    )


def calls(candidate: Candidate, runner: Runner) -> list[Values]:
    """Returns what a runner is given, call by call."""
    values = unpack(encode_all(candidate.examples, runner.inputs))
    return [pack(each) for each in zip(*values, strict=True)]


def _arena(path: Path, given: Sequence[Values], folder: Path) -> int:
    if isinstance(given[0], tuple):
        raise ArtifactError(
            f"got {len(given[0])} inputs, expected one, with which TFLM's arena can be measured; "
            "export it to c"
        )
    check_interpreter()
    return measure_arena(
        path, np.stack([*map(np.asarray, given[:ARENA_IMAGES])]), folder
    ).size_bytes
