"""A search shared by real processes on loopback, some of them killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.commands import REPOSITORY, Completed, assert_one_line_error, run_module, start, wait_for

pytestmark = pytest.mark.slow
SEARCH = ("--tuner", "random", "--learning-rate", "3e-3", "--trials", "5", "--search-epochs", "1")
SMALL = (*SEARCH, "--epochs", "1")


def trials_of(artifacts: Path) -> list[dict[str, Any]]:
    record = json.loads((artifacts / "model.json").read_text())
    found: list[dict[str, Any]] = record["search"]["trials"]
    best = max(found, key=lambda trial: float(trial["validation_accuracy"]))
    assert record["hyperparameters"]["units"] == best["units"]
    return found


def workers_of(pid: int) -> list[int]:
    done = subprocess.run(
        ["pgrep", "--parent", str(pid), "--full", "train.search.worker"],
        capture_output=True,
        text=True,
        check=False,
    )
    return list(map(int, done.stdout.split()))


def test_processes_share_a_search_and_it_survives_the_death_of_each(tmp_path: Path) -> None:
    process = start("train", *SMALL, "--workers", "2", "--artifacts", tmp_path)
    wait_for(process, "search: trial 1,")
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    wait_for(process, "died by signal 9; started again")
    wait_for(process, "search: trial 3,")
    workers = workers_of(process.pid)
    process.kill()
    process.communicate(timeout=60)
    assert len(workers) == 2
    until = time.monotonic() + 30
    while any(Path("/proc", str(pid)).exists() for pid in workers):
        assert time.monotonic() < until, "a worker outlived its chief"
    done = run_module("train", *SMALL, "--workers", "1", "--resume", "--artifacts", tmp_path)
    assert (done.code, done.err) == (0, "")
    # of the first two, one was finished when the third began
    assert not all(f"search: trial {number}," in done.out for number in (1, 2))
    trials = trials_of(tmp_path)
    assert [trial["trial"] for trial in trials] == [1, 2, 3, 4, 5]
    assert {trial["status"] for trial in trials} == {"COMPLETED"}


@pytest.fixture
def address() -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}


def started_as(name: str, address: dict[str, str], *arguments: str | Path) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "train", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **address, "KERASTUNER_TUNER_ID": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: Any) -> Completed:
    out, err = process.communicate(timeout=300)
    return Completed(code=process.returncode, out=out, err=err)


def test_machines_share_a_search_by_environment_variables(
    tmp_path: Path, address: dict[str, str]
) -> None:
    arguments = (*SMALL, "--artifacts", tmp_path)
    chief = started_as("chief", address, *arguments)
    stranger = started_as("worker-9", address, *SMALL, "--seed", "7", "--artifacts", tmp_path)
    assert_one_line_error(outcome(stranger), "the chief does another search")
    worker = started_as("worker-1", address, *arguments)
    wait_for(worker, "search: trial 1,")
    chief.kill()
    chief.communicate(timeout=60)
    again = started_as("chief", address, *arguments, "--resume")
    done = outcome(worker)
    if done.code != 0:  # it may also have waited for the new chief, and gone on
        assert_one_line_error(done, "the chief of the search is gone", "again with --resume")
        done = outcome(started_as("worker-1", address, *arguments))
    assert done.code == 0, done.err
    assert "the search is finished; its chief fits the model" in done.out
    fitted = outcome(again)
    assert fitted.code == 0, fitted.err
    assert [trial["trial"] for trial in trials_of(tmp_path)] == [1, 2, 3, 4, 5]
