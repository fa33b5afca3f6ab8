"""Which operators run, of graphs that are known."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from benchmark.measure.worker.profilers import operators
from benchmark.measure.worker.profilers.onnxruntime import profile_onnxruntime
from export.runtimes.litert import delegated
from tests.examples import FakeRunner


def operator(inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"inputs": [np.int32(index) for index in inputs], "outputs": outputs}


# 0 → 2 → 4 → 5, and 4 → 6; 1 and 3 are weights
CHAIN = [
    operator([0, 1], [2]),
    operator([2, 3], [4]),
    operator([4], [5]),
    operator([4], [6]),
]


def test_a_delegate_took_what_lies_between_its_tensors() -> None:
    assert delegated(CHAIN, []) == set()
    assert delegated(CHAIN, [operator([0, 1, 3], [5, 6])]) == {0, 1, 2, 3}
    assert delegated(CHAIN, [operator([0, 1, 3], [4])]) == {0, 1}
    assert delegated(CHAIN, [operator([2, 3], [4])]) == {1}


def test_several_delegates_took_what_each_did() -> None:
    assert delegated(CHAIN, [operator([0, 1], [2]), operator([4], [5])]) == {0, 2}


def test_what_is_made_before_a_delegate_is_not_its() -> None:
    assert delegated(CHAIN, [operator([4], [5])]) == {2}


class FakeSession:
    """A session of one node, whose profile has 900 µs for each warm-up, then 10 and 30 µs."""

    def __init__(self, path: str, options: Any, providers: list[str]) -> None:
        self._written = Path(f"{options.profile_file_prefix}.json")
        self._calls = 0

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x")]

    def run(self, names: None, feed: dict[str, np.ndarray]) -> None:
        assert list(feed) == ["x"]
        self._calls += 1

    def end_profiling(self) -> str:
        node: dict[str, Any] = {"cat": "Node", "name": "mul_kernel_time"}
        node["args"] = {"op_name": "MatMul", "provider": "CPU"}
        ended = {"cat": "Session", "name": "model_run"}
        durations = [900] * (self._calls - 2) + [10, 30]
        events = [event for dur in durations for event in ({**node, "dur": dur}, ended)]
        self._written.write_text(json.dumps(events))
        return str(self._written)


def test_the_time_of_a_node_is_its_mean_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    (found,) = profile_onnxruntime(Path("fake"), [np.zeros(1)] * 2, threads=1)
    assert (found.name, found.node, found.calls, found.mean_us) == ("MatMul", "mul", 2, 20.0)


def test_a_runtime_that_says_nothing_gives_nothing() -> None:
    values = np.zeros((1, 1, 2, 2), np.int8)
    assert operators(FakeRunner(), Path("fake"), list(values), threads=1, mode=None) == {}
