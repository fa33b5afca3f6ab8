"""A bundle that was changed says so, whatever was changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.deploy.bundle.launcher import main, problem_with, seal_of


def all_files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.rglob("*") if path.is_file())


def test_every_single_file_is_checked(bundle: Path) -> None:
    assert problem_with(bundle) is None
    for path in all_files(bundle):
        content = path.read_bytes()
        if content:
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
            assert str(path) in (problem_with(bundle) or ""), path
        path.write_bytes(content + b" ")
        if path.name != "bundle.json":  # a space more is the same JSON
            assert "bytes, expected" in (problem_with(bundle) or ""), path
        path.unlink()
        assert str(path) in (problem_with(bundle) or ""), path
        path.write_bytes(content)
    assert problem_with(bundle) is None


def test_results_beside_are_no_matter(bundle: Path) -> None:
    (bundle / "artifacts" / "benchmark.json").write_text("{}")
    assert problem_with(bundle) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"images": 7}, "its seal does not match"),
        ({"files": {}}, "its seal does not match"),
        ({"files": []}, "lacks or garbles"),
        ({"files": {"a": {}}}, "lacks or garbles"),
        ({"schema_version": 9}, "got schema_version 9, expected 1"),
    ],
)
def test_the_list_itself_is_checked(bundle: Path, change: dict[str, Any], expected: str) -> None:
    path = bundle / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert expected in (problem_with(bundle) or "")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd"])
def test_a_forged_list_reads_nothing_outside(bundle: Path, name: str) -> None:
    path = bundle / "bundle.json"
    content = json.loads(path.read_text())
    del content["seal"]
    content["files"] = {name: {"sha256": "", "size_bytes": 0}}
    path.write_text(json.dumps({**content, "seal": seal_of(content)}))
    assert "expected one inside the bundle" in (problem_with(bundle) or "")


def test_no_bundle_at_all(tmp_path: Path) -> None:
    assert "bundle.json: No such file" in (problem_with(tmp_path) or "")
    (tmp_path / "bundle.json").write_text("[1]")
    assert "lacks or garbles" in (problem_with(tmp_path) or "")
    (tmp_path / "bundle.json").write_text("[" * 100_000)
    assert "lacks or garbles" in (problem_with(tmp_path) or "")
    (tmp_path / "bundle.json").write_text("{")
    assert "lacks or garbles" in (problem_with(tmp_path) or "")


def test_an_older_python_is_named(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 9, 2))
    assert main(bundle) == "got Python 3.9, expected 3.11 or later; install it"
