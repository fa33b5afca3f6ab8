"""Which operators run, of graphs that are known."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.worker.profilers import operators
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


def test_a_runtime_that_says_nothing_gives_nothing() -> None:
    values = np.zeros((1, 1, 2, 2), np.int8)
    assert operators(FakeRunner(), Path("fake"), list(values), threads=1, mode=None) == {}
