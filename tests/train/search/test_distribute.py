import socket

import pytest

from train.common.errors import ToolkitError
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
