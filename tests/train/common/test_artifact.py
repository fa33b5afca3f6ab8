import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.common.artifact import (
    array_sha256,
    content_sha256,
    publish,
    read_json,
    staging,
    write_json,
    write_npz,
)
from train.common.errors import ArtifactError


def test_array_hash_depends_on_dtype_shape_and_values() -> None:
    values = np.arange(6, dtype=np.int32)
    others: list[np.ndarray] = [
        values.astype(np.int64),
        values.reshape(2, 3),
        values[::-1],
        values.view(np.uint32),
    ]
    assert len({array_sha256(array) for array in [values, *others]}) == 5
    assert array_sha256(values.reshape(2, 3).T.copy().T) == array_sha256(values.reshape(2, 3))


def test_staging_removes_itself_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), staging(tmp_path) as staged:
        (staged / "half").mkdir()
        (staged / "half").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_staging_sweeps_what_killed_processes_left_and_spares_the_living(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    dead, living = tmp_path / f".staging-{pid}-x", tmp_path / f".staging-{os.getpid()}-x"
    dead.mkdir()
    living.mkdir()
    with staging(tmp_path):
        assert not dead.exists()
        assert living.exists()


def test_staging_in_an_unwritable_place_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ArtifactError, match=r"cannot write .* give a writable one with --artifacts"
    ):
        staging(tmp_path / "file").__enter__()


def test_publish_replaces_in_order_and_holds_an_interrupt_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
        (staged / name).write_text("new")
    replace = Path.replace

    def replace_and_interrupt(self: Path, target: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish([staged / "a", staged / "b"], tmp_path)
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["new", "new"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "is not JSON"),
        ('{"schema_version": 1', "is not JSON"),
        ("\xff\xfe", "is not JSON"),
        ("[1]", "schema_version None, expected 1"),
        ('{"schema_version": 2}', "schema_version 2, expected 1"),
    ],
)
def test_bad_json_is_refused_with_the_remedy(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ArtifactError, match=f"{message}.*; do this"):
        read_json(path, schema_version=1, remedy="do this")


def test_json_round_trip_and_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"schema_version": 1, "name": "µ", "value": None})
    assert read_json(path, schema_version=1, remedy="")["name"] == "µ"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"value": float("nan")})


def test_json_keeps_plain_lists_on_a_line_and_arrays_too(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "a": [1, 2.5, None, "µ"],
        "b": {"c": [], "d": {}, "e": True},
        "f": [{"g": 1}, [2, 3]],
        "h": (np.array([4, 5]), np.array([6])),
    }
    write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == {**content, "h": [[4, 5], [6]]}
    assert '  "a": [1, 2.5, null, "µ"],\n' in text
    assert "    [4, 5],\n" in text


def test_json_has_no_number_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})


def test_the_hash_of_content_is_that_of_its_meaning() -> None:
    assert content_sha256({"a": [1], "b": 2.5}) == content_sha256({"b": 2.5, "a": (1,)})
    assert content_sha256({"a": [1]}) != content_sha256({"a": [2]})


def test_arrays_come_back_by_any_name(tmp_path: Path) -> None:
    arrays = {
        "tflite-int8 2 threads": np.eye(3, dtype=np.float32),
        "file": np.zeros((2, 3), np.float32),
    }
    write_npz(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz") as found:
        assert found.files == list(arrays)
        assert all(np.array_equal(found[name], values) for name, values in arrays.items())
