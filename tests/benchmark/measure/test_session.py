"""How rows are measured in turns, with workers and a machine that are made up."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.measured import MeasuredVariant, Unmeasured, collect
from benchmark.measure.session import MAX_WORKERS, Session, group_size
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from tests.benchmark.measure.raw import tasks
from tests.benchmark.measure.workers import TIMED, fake_machine
from tests.examples import MANIFEST, REFERENCE
from train.common.files.artifact import file_sha256

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


@pytest.fixture(autouse=True)
def probes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return fake_machine(monkeypatch, REFERENCE.outputs)


def measure(folder: Path, *names: str, resume: bool = False) -> list[MeasuredVariant | Unmeasured]:
    file = folder / "fake.bin"
    file.write_bytes(b"weights")
    manifest = replace(MANIFEST, path=folder / "fake.json", sha256=file_sha256(file), size_bytes=7)
    variants = [
        Variant(
            format=name, runtime="litert", mode="xnnpack", threads=1, manifest=manifest, path=file
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
    tmp_path: Path, probes: list[int]
) -> None:
    probes += [1_000, 1_000, 2_000, 1_000]
    (found,) = measure(tmp_path, "tflite-int8")
    assert isinstance(found, MeasuredVariant)
    assert [each.quiet for each in found.rounds[:4]] == [True, False, False, True]


def test_where_too_few_rounds_were_quiet_more_are_taken(tmp_path: Path, probes: list[int]) -> None:
    probes += [1_000, 1_000, *[2_000] * 10]
    (found,) = measure(tmp_path, "tflite-int8")
    assert isinstance(found, MeasuredVariant)
    assert len(found.rounds) == 18
    assert found.latency.quiet_rounds >= 5
