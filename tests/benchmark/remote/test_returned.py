"""Files from another machine land where they should, whatever it says."""

import base64
from pathlib import Path
from typing import Any

import pytest

from benchmark.remote import returned as module
from benchmark.remote.returned import Returned
from train.common.errors import ArtifactError


def message(kind: str, name: str, content: bytes = b"x") -> dict[str, Any]:
    return {kind: name, "content": base64.b64encode(content).decode()}


def started(folder: Path, *, resume: bool = False) -> Returned:
    found = Returned(folder, "pi")
    found.start(resume=resume)
    return found


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_results_get_their_names_when_the_run_is_done(tmp_path: Path) -> None:
    found = started(tmp_path)
    found.keep({"out": "a line"})
    found.keep(message("partial", "run.json"))
    found.keep(message("partial", "tflite-int8+xnnpack+1t.npy"))
    assert names(tmp_path) == ["hosts/pi.partial/run.json", *names(tmp_path)[1:]]
    found.keep(message("result", "benchmark.json", b"{}"))
    found.keep(message("result", "benchmark.html"))
    assert found.publish() == tmp_path / "hosts" / "pi.json"
    assert names(tmp_path) == ["hosts/pi.html", "hosts/pi.json"]
    assert (tmp_path / "hosts" / "pi.json").read_bytes() == b"{}"


def test_what_came_back_stays_until_another_run_begins(tmp_path: Path) -> None:
    found = started(tmp_path)
    assert not found.has_partial()
    found.keep(message("partial", "run.json"))
    assert found.publish() is None
    assert found.has_partial()
    assert started(tmp_path, resume=True).has_partial()
    assert not started(tmp_path).has_partial()


def test_nothing_is_left_of_a_run_that_brought_nothing(tmp_path: Path) -> None:
    assert started(tmp_path).publish() is None
    assert list((tmp_path / "hosts").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("partial", name) for name in ("../x", "/etc/x", "a/b", ".hidden", "", "x\n", "x" * 200)),
        *(("result", name) for name in ("../benchmark.json", "model.keras", "benchmark.json/x")),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(ArtifactError, match="expected the benchmark's results"):
        started(tmp_path).keep(message(kind, name))
    assert names(tmp_path) == []


def test_too_much_and_garbled_content_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    found = started(tmp_path)
    found.keep(message("partial", "a", b"12345678"))
    with pytest.raises(ArtifactError, match="at most 10 bytes"):
        found.keep(message("partial", "b", b"12345678"))
    with pytest.raises(ArtifactError, match="garbled content"):
        started(tmp_path).keep({"partial": "a", "content": "***"})
