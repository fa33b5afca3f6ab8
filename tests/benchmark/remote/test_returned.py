"""Files from another machine land where they should, whatever it says."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.remote import returned as module
from benchmark.remote.returned import Returned, Shown
from tests.benchmark.recorded import content
from tests.benchmark.report.contents import HOSTILE, content_of, measured
from train.common.errors import ArtifactError
from train.common.files.artifact import write_json

SHOWN = Shown(data_sha256="", pictures=None)


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
    write_json(tmp_path / "sent", content_of(measured(HOSTILE)))
    sent = (tmp_path / "sent").read_bytes()
    (tmp_path / "sent").unlink()
    found.keep(message("result", "benchmark.json", sent))
    assert found.publish(SHOWN) == tmp_path / "hosts" / "pi.json"
    ends = ("card.md", "csv", "html", "json", "md")
    assert names(tmp_path) == [f"hosts/pi.{end}" for end in ends]
    assert (tmp_path / "hosts" / "pi.json").read_bytes() == sent
    assert HOSTILE not in (tmp_path / "hosts" / "pi.html").read_text()


@pytest.mark.parametrize(
    "sent",
    [
        b"{}",
        b"[" * 100_000,
        json.dumps({**content(), "results": 3}).encode(),
        json.dumps(content()).encode(),  # without the rounds that its medians are of
        b"\xff",
    ],
)
def test_results_that_no_benchmark_writes_are_not_shown(tmp_path: Path, sent: bytes) -> None:
    found = started(tmp_path)
    found.keep(message("result", "benchmark.json", sent))
    with pytest.raises(ArtifactError, match=r"run `python -m benchmark` again|do not fit"):
        found.publish(SHOWN)
    assert names(tmp_path) == ["hosts/pi.partial/benchmark.json"]


def test_what_came_back_stays_until_another_run_begins(tmp_path: Path) -> None:
    found = started(tmp_path)
    assert not found.has_partial()
    found.keep(message("partial", "run.json"))
    assert found.publish(SHOWN) is None
    assert found.has_partial()
    assert started(tmp_path, resume=True).has_partial()
    assert not started(tmp_path).has_partial()


def test_nothing_is_left_of_a_run_that_brought_nothing(tmp_path: Path) -> None:
    assert started(tmp_path).publish(SHOWN) is None
    assert list((tmp_path / "hosts").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("partial", name) for name in ("../x", "/etc/x", "a/b", ".hidden", "", "x\n", "x" * 200)),
        *(("result", name) for name in ("../benchmark.json", "benchmark.html", "benchmark.json/x")),
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
