"""How rows are measured in turns, with workers and a machine that are made up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.measure import rounds, session
from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.measured import LOADING, MeasuredVariant, Unmeasured, collect
from benchmark.measure.session import MAX_WORKERS, Session, group_size
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from benchmark.measure.worker.process import Job
from tests.benchmark.measure.raw import tasks
from tests.examples import MANIFEST, REFERENCE
from train.common.errors import ArtifactError

GB = 1 << 30
SETTINGS = MeasureSettings(samples=100, rounds=12, launches=2, max_seconds=6)
(TASK,) = tasks(REFERENCE.outputs, {})


def test_as_many_workers_as_half_the_memory_holds() -> None:
    assert group_size(32 * GB) == MAX_WORKERS
    assert group_size(GB // 2) == 4
    assert group_size(GB // 8) == 2  # at least two, to take turns


def test_large_files_leave_room_for_fewer() -> None:
    assert group_size(8 * GB, GB // 4) == 7
    assert group_size(8 * GB, GB) == 1
    assert group_size(8 * GB, 100 * GB) == 1


class FakeServer:
    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *ended: object) -> None:
        pass


class FakeWorker(FakeServer):
    """Gives the Keras model's outputs; `tflite-bad` gives too few, `tflite-dying` dies timed."""

    def __init__(self, server: FakeServer, job: Job) -> None:
        self.name = job.name

    def loaded(self) -> dict[str, Any]:
        return {**dict.fromkeys(LOADING, 1.0), "timer_ns": 50, "call": "invoke"}

    def send(self, do: str, path: str, core: int) -> None:
        (outputs,) = REFERENCE.outputs.values()
        np.save(Path(path, "0.npy"), outputs[:, : 2 if self.name == "tflite-bad" else None])

    def receive(self) -> dict[str, Any]:
        return {"outputs": list(REFERENCE.outputs), "clipped_share": 0.0, "input_range_use": 1.0}

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


TIMED: list[tuple[str, Mapping[str, Any]]] = []


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What fixed pieces of Python take from now on, nanoseconds; 1,000 where it says nothing."""
    probes: list[int] = []
    TIMED.clear()
    monkeypatch.setattr(session, "ForkServer", FakeServer)
    monkeypatch.setattr(session, "WorkerProcess", FakeWorker)
    monkeypatch.setattr(rounds, "probe_ns", lambda core: probes.pop(0) if probes else 1_000)
    return probes


def measure(folder: Path, *names: str, resume: bool = False) -> list[MeasuredVariant | Unmeasured]:
    variants = [
        Variant(
            format=name,
            runtime="litert",
            mode="xnnpack",
            threads=1,
            manifest=MANIFEST,
            path=folder / name,
        )
        for name in names
    ]
    raw = PartialResults(folder, {}, resume=resume)
    told = Session(SETTINGS, raw, {}, REFERENCE, TASK, lambda text, share: None).run(variants)
    return collect(variants, raw, told)


def test_samples_and_seconds_are_those_of_all_rounds_together(tmp_path: Path) -> None:
    (found,) = measure(tmp_path, "tflite-int8")
    assert isinstance(found, MeasuredVariant)
    assert len(TIMED) == len(found.rounds) == 12
    assert {(asked["samples"], asked["limit_ns"]) for _, asked in TIMED} == {(9, 500_000_000)}


def test_a_row_with_outputs_of_another_shape_is_not_timed(tmp_path: Path) -> None:
    bad, good = measure(tmp_path, "tflite-bad", "tflite-int8")
    assert isinstance(bad, Unmeasured)
    assert "got output 'probabilities' of shape (6, 2), expected (6, 3)" in bad.problem
    assert isinstance(good, MeasuredVariant)
    assert {name for name, _ in TIMED} == {"tflite-int8"}


def test_a_row_that_died_stays_an_error_when_the_run_is_resumed(tmp_path: Path) -> None:
    for resume in (False, True):
        dead, good = measure(tmp_path, "tflite-dying", "tflite-int8", resume=resume)
        assert isinstance(dead, Unmeasured)
        assert dead.problem == "its process ended by signal 9"
        assert isinstance(good, MeasuredVariant)
    assert [name for name, _ in TIMED].count("tflite-dying") == 1
    assert len(TIMED) == 1 + 12


def test_a_slice_is_as_disturbed_as_the_worse_of_the_moments_around_it(
    tmp_path: Path, machine: list[int]
) -> None:
    machine += [1_000, 1_000, 2_000, 1_000]
    (found,) = measure(tmp_path, "tflite-int8")
    assert isinstance(found, MeasuredVariant)
    assert [each.quiet for each in found.rounds[:4]] == [True, False, False, True]


def test_where_too_few_rounds_were_quiet_more_are_taken(tmp_path: Path, machine: list[int]) -> None:
    machine += [1_000, 1_000, *[2_000] * 10]
    (found,) = measure(tmp_path, "tflite-int8")
    assert isinstance(found, MeasuredVariant)
    assert len(found.rounds) == 18
    assert found.latency.quiet_rounds >= 5
