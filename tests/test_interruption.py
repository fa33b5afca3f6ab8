"""Interrupted or killed at any moment, the commands leave every earlier artifact whole."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from benchmark.measure.checkpoint import FOLDER
from export.formats.select import select_formats
from export.manifest import check_file, read_manifest
from tests.commands import (
    GATE,
    SMALL_FIT,
    assert_one_line_error,
    run_in_process,
    run_module,
    start,
    wait_for,
)
from train.common.files.artifact import file_sha256

pytestmark = pytest.mark.slow


def children_of(pid: int) -> list[int]:
    done = subprocess.run(
        ["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=True
    )
    return list(map(int, done.stdout.split()))


def assert_whole(artifacts: Path) -> None:
    """Asserts that every artifact in a folder is the one that its manifest describes."""
    for name in (entry.name for entry in select_formats(["all"])):
        check_file(read_manifest(artifacts / f"{name}.json"))


@pytest.mark.parametrize(
    ("moment", "number"),
    [("loading the model", signal.SIGINT), ("tflite-int8: converting", signal.SIGTERM)],
)
def test_an_interrupted_export_leaves_every_artifact_whole(
    artifacts: Path, moment: str, number: signal.Signals
) -> None:
    process = start("export", "--format", "all", "--force", "--artifacts", artifacts)
    wait_for(process, moment)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines() == ["interrupted: nothing half-written, earlier artifacts untouched"]
    assert_whole(artifacts)
    assert not list(artifacts.glob(".staging-*"))


def test_a_killed_export_leaves_every_artifact_whole(artifacts: Path) -> None:
    process = start("export", "--format", "all", "--force", "--artifacts", artifacts)
    wait_for(process, "tflite-float16: converting")
    process.kill()
    process.communicate(timeout=60)
    assert_whole(artifacts)
    again = run_in_process("export", "--format", "tflite-int8", "--force", "--artifacts", artifacts)
    assert again.code == 0, again.err
    assert not list(artifacts.glob(".staging-*"))


def test_an_interrupted_training_leaves_the_earlier_model(artifacts: Path) -> None:
    before = file_sha256(artifacts / "model.keras")
    process = start("train", "--recipe", "notebook", "--units", "32", "--artifacts", artifacts)
    wait_for(process, "epoch 2/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines() == ["interrupted: nothing half-written, earlier artifacts untouched"]
    assert file_sha256(artifacts / "model.keras") == before
    assert not list(artifacts.glob(".staging-*"))
    exported = run_in_process("export", "--format", "tflite-int8", "--artifacts", artifacts)
    assert "is up to date" in exported.out, exported.err


def test_a_killed_search_goes_on_with_the_running_trial(tmp_path: Path) -> None:
    """That of every tuner does is tested with the search itself."""
    arguments: tuple[str | Path, ...] = (
        *("--recipe", "notebook", "--tuner", "hyperband", "--search-epochs", "2"),
        *("--units", "32", "--epochs", "1", "--artifacts", tmp_path),
    )
    process = start("train", *arguments)
    wait_for(process, "search: trial 2")
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "model.keras").exists()
    done = run_module("train", *arguments, "--resume")
    assert (done.code, done.err) == (0, "")
    assert "search: trial 1," not in done.out
    assert "search: trial 2," in done.out
    record = json.loads((tmp_path / "model.json").read_text())
    trials = record["search"]["trials"]
    assert [trial["trial"] for trial in trials] == list(range(1, len(trials) + 1))
    assert {trial["status"] for trial in trials} == {"COMPLETED"}
    best = max(trials, key=lambda trial: float(trial["validation_accuracy"]))
    chosen = record["hyperparameters"]
    assert (chosen["units"], chosen["learning_rate"]) == (32, best["learning_rate"])


def test_a_killed_fit_goes_on_after_its_last_epoch(trained_artifacts: Path, tmp_path: Path) -> None:
    process = start("train", *SMALL_FIT, "--artifacts", tmp_path)
    wait_for(process, "fit: epoch 2/3")
    process.kill()
    process.communicate(timeout=60)
    done = run_module("train", *SMALL_FIT, "--artifacts", tmp_path, "--resume")
    assert done.code == 0, done.err
    assert "epoch 2/3" not in done.out
    assert "epoch 3/3" in done.out
    whole, resumed = (
        json.loads((folder / "model.json").read_text()) for folder in (trained_artifacts, tmp_path)
    )
    assert resumed["model"]["weights_sha256"] == whole["model"]["weights_sha256"]
    assert resumed["history"] == whole["history"]
    assert not list((tmp_path / "tuning").glob("fit-*"))


def test_a_record_is_repeated_and_only_on_its_data(trained_artifacts: Path, tmp_path: Path) -> None:
    record = trained_artifacts / "model.json"
    again = run_module("train", "--from", record, "--artifacts", tmp_path / "again")
    assert again.code == 0, again.err
    assert f"the weights are those of {record}" in again.out
    content = json.loads(record.read_text())
    content["data"]["train_sha256"] = "0" * 64
    (tmp_path / "other.json").write_text(json.dumps(content))
    arguments = ("--from", tmp_path / "other.json", "--artifacts", tmp_path / "no")
    other = run_in_process("train", *arguments)
    assert_one_line_error(other, "was trained on other images", "give --data")
    del content["recipe"]
    (tmp_path / "other.json").write_text(json.dumps(content))
    garbled = run_in_process("train", *arguments)
    assert_one_line_error(garbled, "other.json has no recipe", "give the model.json that")


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("tflite-int8+xnnpack+1t: 10,000 of 10,000 examples", signal.SIGINT),
        ("timing, round 2", signal.SIGKILL),
    ],
)
def test_a_benchmark_that_is_cut_off_keeps_the_earlier_results_and_goes_on(
    artifacts: Path, moment: str, number: signal.Signals
) -> None:
    arguments = ("--artifacts", artifacts, "--format", "tflite-float32,tflite-int8", *GATE)
    (artifacts / "benchmark.json").write_text("the earlier results")
    process = start("benchmark", *arguments)
    wait_for(process, moment)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        (line,) = err.splitlines()
        assert line.startswith("interrupted: nothing half-written, earlier artifacts untouched; ")
        assert "`python -m benchmark --resume` goes on" in line
    assert (artifacts / "benchmark.json").read_text() == "the earlier results"
    assert not list(artifacts.glob(".staging-*")) or number == signal.SIGKILL

    other = run_in_process("benchmark", *arguments, "--resume", "--samples", "2000")
    assert_one_line_error(other, "cannot resume", "another settings", "without --resume")
    whole = [path for path in (artifacts / FOLDER).glob("*+1t.*") if path.is_file()]
    kept = {path.name: path.read_bytes() for path in whole}
    rounds = {path.name: path.read_bytes() for path in (artifacts / FOLDER).glob("round-*")}
    assert "examples" in moment or rounds
    resumed = run_in_process("benchmark", *arguments, "--resume")
    assert resumed.code == 0, resumed.err
    for name in kept:
        if name.endswith(".npy"):
            assert f"{name.split('.output')[0]}: 10,000 of 10,000 examples" not in resumed.out
    for name in rounds:
        number_of = int(name.removeprefix("round-").removesuffix(".json"))
        assert f"timing, round {number_of + 1}\n" not in resumed.out
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [row["verdict"] for row in rows] == ["pass", "pass"]
    assert all(sum(map(len, row["rounds_ns"])) >= 10_000 for row in rows)
    assert not (artifacts / FOLDER).exists()


def test_a_row_whose_process_dies_while_timed_is_an_error_and_the_others_go_on(
    artifacts: Path,
) -> None:
    arguments = ("--artifacts", artifacts, "--format", "tflite-float32,tflite-int8", *GATE)
    # slices so long that the worker dies within one of them
    process = start("benchmark", *arguments, "--samples", "1000000")
    wait_for(process, "tflite-int8+xnnpack+1t: timing, round 2")
    (server,) = children_of(process.pid)
    os.kill(children_of(server)[-1], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [row["verdict"] for row in rows] == ["pass", "error"]
    assert "its process ended by signal 9" in rows[1]["reasons"][0]
