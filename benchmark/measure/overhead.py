"""What a call of each runtime costs that computes nothing: the part of every latency that stays.

The models are constants, so that a device needs no converter to measure it: one operator that
hands on a single float32, for LiteRT a RESHAPE that XNNPACK takes, for ONNX Runtime an Identity.
`tests/benchmark/measure/test_overhead.py` builds them again.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.worker.process import ForkServer, Job, WorkerProcess
from train.common.environment import available_cores
from train.common.errors import ArtifactError

MODELS = {
    "litert": (
        "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAcAAAAAAEAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAM"
        "ABQAEAAMAAgABAAMAAAAEAAAAGQAAABoAAAAbAAAAAEAAAAUAAAAAAAOABYAAAAQAAwACwAEAA4AAAAYAAAAAAAAESQA"
        "AAAoAAAAAAAGAAgABAAGAAAABAAAAAIAAAABAAAAAQAAAAEAAAABAAAAAQAAAAAAAAABAAAAAQAAAAEAAAAAAAAAAgAA"
        "ADQAAAAEAAAA4P///wgAAAAMAAAAAQAAAHkAAAACAAAAAQAAAAEAAAAMAAwACAAAAAAABAAMAAAACAAAAAwAAAABAAAA"
        "eAAAAAIAAAABAAAAAQAAAAEAAAAQAAAADAAMAAsAAAAAAAQADAAAABYAAAAAAAAW"
    ),
    "onnxruntime": (
        "CAgSADpGChAKAXgSAXkiCElkZW50aXR5EghvdmVyaGVhZFoTCgF4Eg4KDAgBEggKAggBCgIIAWITCgF5Eg4KDAgB"
        "EggKAggBCgIIAUIECgAQEg=="
    ),
}
SLICES = 5
SLICE_SAMPLES = 1_000
SLICE_NS = 10_000_000
WARM_UP_NS = 50_000_000


def measure_call_overhead(
    runtimes: Iterable[str], raw: PartialResults, folder: Path
) -> dict[str, float | None]:
    """Returns each runtime's call overhead in microseconds; None where that cannot be measured.

    Timed as a row is: in a process of its own, pinned, warmed up, one thread. The lowest of five
    slices' medians, because a disturbance can only raise one.

    Args:
        runtimes: their names.
        raw: where overheads are kept, so that a resumed run measures none again.
        folder: where models may be written.
    """
    found = {name: raw.answer("overhead", name) for name in runtimes if name in MODELS}
    if None in found.values():
        with ForkServer() as server:
            for name in [name for name in found if found[name] is None]:
                try:
                    answer: dict[str, Any] = {"p50_us": _overhead_us(server, name, folder)}
                except ArtifactError as error:
                    answer = {"error": str(error)}
                raw.add_answer("overhead", name, answer)
                found[name] = answer
    return {name: (answer or {}).get("p50_us") for name, answer in found.items()}


def _overhead_us(server: ForkServer, runtime: str, folder: Path) -> float:
    model, image = (folder.resolve() / f"overhead.{runtime}{suffix}" for suffix in ("", ".npy"))
    model.write_bytes(base64.b64decode(MODELS[runtime]))
    np.save(image, np.zeros((1, 1), np.float32))
    job = Job(
        name=f"the call overhead of {runtime}",
        runtime=runtime,
        mode=None,
        threads=1,
        file=model,
        inputs=None,
        outputs=None,
        preprocessing={},
        raw={"x": image},
    )
    medians_ns = []
    with WorkerProcess(server, job) as worker:
        worker.loaded()
        for number in range(SLICES):
            answer = worker.ask(
                "time",
                samples=SLICE_SAMPLES,
                warm_up_ns=WARM_UP_NS if number == 0 else SLICE_NS,
                limit_ns=SLICE_NS,
                core=available_cores()[-1],
            )
            medians_ns.append(float(np.median(answer["durations_ns"])))
    return min(medians_ns) / 1e3
