import io
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import Heard
from train.common.errors import ToolkitError
from train.config import TrainConfig
from train.search import distribute


@pytest.mark.parametrize(
    ("given", "chief", "worker"),
    [
        ({}, False, False),
        ({"ID": "chief", "ADDRESS": "10.0.0.1", "PORT": "8000"}, True, False),
        ({"ID": "worker-1", "ADDRESS": "10.0.0.1", "PORT": "8000"}, False, True),
    ],
)
def test_the_environment_says_who_is_who(
    given: dict[str, str], chief: bool, worker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(getattr(distribute, name), value)
    assert (distribute.is_chief(), distribute.is_worker()) == (chief, worker)


def test_half_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(distribute.ID, "worker-1")
    with pytest.raises(ToolkitError, match=f"got {distribute.ID}, expected all of"):
        distribute.is_worker()


def test_a_chief_whose_port_is_taken_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((distribute.LOOPBACK, 0))
        taken.listen()
        monkeypatch.setenv(distribute.ADDRESS, distribute.LOOPBACK)
        monkeypatch.setenv(distribute.PORT, str(taken.getsockname()[1]))
        with pytest.raises(ToolkitError, match=r"cannot listen on 127\.0\.0\.1"):
            distribute.serve(None, supervise=lambda: None)


def test_a_worker_that_keeps_dying_is_started_again_so_often_and_then_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed = SimpleNamespace(poll=lambda: -9, returncode=-9)
    monkeypatch.setattr(
        distribute.Workers, "_start", lambda *_: (killed, io.BytesIO(b"error: no memory\n"))
    )
    report = Heard()
    workers = distribute.Workers(TrainConfig(artifacts=Path("unused")), report, count=1)
    for _ in range(distribute.MAX_RESTARTS):
        workers.supervise()
    assert report.steps == ["worker-1 died by signal 9; started again"] * distribute.MAX_RESTARTS
    with pytest.raises(ToolkitError, match="worker-1 of the search ended: no memory; fix that"):
        workers.supervise()
