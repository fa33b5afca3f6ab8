import os
import sys
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from export.runtimes.open import RUNNERS
from export.runtimes.runner import Runner, Values
from export.runtimes.trial import GRAIN, first_outputs
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

INPUTS = {"x": np.arange(6, dtype=np.float32).reshape(3, 2)}
SPEC = TensorSpec(name="x", shape=(1, 2), dtype="float32")


class Doubling(Runner):
    """Doubles its input, in all of LiteRT's modes but what a subclass does otherwise."""

    modes = ("xnnpack", "reference")
    inputs = outputs = (SPEC,)

    def __enter__(self) -> Self:
        self.invoke = self.run
        return self

    def __exit__(self, *details: object) -> None:
        pass

    def run(self, values: Values) -> Values:
        return np.asarray(values) * 2


class Aborting(Doubling):
    def run(self, values: Values) -> Values:
        if self._mode == "reference":
            os.write(2, b"div.cc: data[i] != zero_point\n")
            os.abort()
        return super().run(values)


class Refusing(Doubling):
    def __enter__(self) -> Self:
        raise ArtifactError("it is no model")


def test_the_outputs_come_from_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Telling(Doubling):
        def run(self, values: Values) -> Values:
            return np.asarray(values) * 0 + os.getpid()

    monkeypatch.setitem(RUNNERS, "litert", Telling)
    outputs = first_outputs("litert", Path("m.tflite"), INPUTS)
    assert list(outputs) == ["x"]
    assert outputs["x"].shape == (3, 2)
    if sys.platform == "linux":
        assert float(outputs["x"][0, 0]) != np.float32(os.getpid())


def test_many_examples_are_shared_among_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Doubling):
        def run(self, values: Values) -> Values:
            return np.concatenate([np.asarray(values)[:, :1] * 2, [[os.getpid() % 4096]]], axis=1)

    monkeypatch.setitem(RUNNERS, "litert", Counting)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    numbers = np.arange(2 * GRAIN + 5, dtype=np.float32)
    found = first_outputs("litert", Path("m"), {"x": np.stack([numbers, numbers], axis=1)})["x"]
    np.testing.assert_array_equal(found[:, 0], 2 * numbers)  # in order
    if sys.platform == "linux":
        _, sizes = np.unique(found[:, 1], return_counts=True)
        assert sorted(sizes) == [GRAIN, GRAIN + 5]


def test_a_crash_in_any_mode_is_an_error_with_what_the_runtime_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RUNNERS, "litert", Doubling)
    assert np.array_equal(first_outputs("litert", Path("m"), INPUTS)["x"], INPUTS["x"] * 2)
    monkeypatch.setitem(RUNNERS, "litert", Aborting)
    told = r"LiteRT crashes .* \(SIGABRT: div\.cc: data\[i\] != zero_point\)"
    with pytest.raises(ArtifactError, match=told):
        first_outputs("litert", Path("m.tflite"), INPUTS)


def test_garbage_of_this_process_is_not_collected_in_the_other_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = os.getpid()

    class OfTensorFlow:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            if os.getpid() != here:
                os.abort()

    class Allocating(Doubling):
        def run(self, values: Values) -> Values:
            assert len([[number] for number in range(100_000)]) == 100_000
            return super().run(values)

    monkeypatch.setitem(RUNNERS, "litert", Allocating)
    OfTensorFlow()
    first_outputs("litert", Path("m.tflite"), INPUTS)


def test_what_the_runtime_raises_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "litert", Refusing)
    with pytest.raises(ArtifactError, match="it is no model"):
        first_outputs("litert", Path("m.tflite"), INPUTS)
