"""Workers and a machine that are made up: no process, no runtime, no time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.measure import overhead, rounds, session
from benchmark.measure.measured import LOADING
from benchmark.measure.worker.process import Job
from train.common.errors import ArtifactError

TIMED: list[tuple[str, Mapping[str, Any]]] = []  # the slices that were asked for


class FakeServer:
    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *ended: object) -> None:
        pass


class FakeWorker(FakeServer):
    """Gives the Keras model's outputs; `tflite-bad` gives too few, `tflite-dying` dies timed."""

    outputs: Mapping[str, np.ndarray] = {}

    def __init__(self, server: FakeServer, job: Job, timeout_s: float = 0) -> None:
        self.name = job.name

    def loaded(self) -> dict[str, Any]:
        return {**dict.fromkeys(LOADING, 1.0), "timer_ns": 50, "call": "invoke"}

    def send(self, do: str, path: str, core: int) -> None:
        (values,) = self.outputs.values()
        np.save(Path(path, "0.npy"), values[:, : 2 if self.name == "tflite-bad" else None])

    def receive(self) -> dict[str, Any]:
        return {"outputs": list(self.outputs), "clipped_share": 0.0, "input_range_use": 1.0}

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do != "time":
            return {}
        TIMED.append((self.name, arguments))
        if self.name == "tflite-dying":
            raise ArtifactError("its process ended by signal 9")
        return {
            "durations_ns": [3_000] * arguments["samples"],
            "warm_up_calls": 9,
            "stable": True,
            "pinned": True,
            "cpu_s": 0.0,
        }


def fake_machine(monkeypatch: pytest.MonkeyPatch, outputs: Mapping[str, np.ndarray]) -> list[int]:
    """Makes workers give these outputs.

    Returns what fixed pieces of Python take from now on, nanoseconds: 1,000 where the list is
    empty.
    """
    probes: list[int] = []
    TIMED.clear()
    monkeypatch.setattr("benchmark.measure.variants.check_kept", lambda manifest: None)
    monkeypatch.setattr(FakeWorker, "outputs", outputs)
    for module in (session, overhead):
        monkeypatch.setattr(module, "ForkServer", FakeServer)
        monkeypatch.setattr(module, "WorkerProcess", FakeWorker)
    monkeypatch.setattr(rounds, "probe_ns", lambda core: probes.pop(0) if probes else 1_000)
    return probes
