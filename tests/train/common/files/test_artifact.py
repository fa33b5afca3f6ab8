import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.common.errors import ArtifactError
from train.common.files.artifact import (
    array_sha256,
    content_sha256,
    new_array,
    read_json,
    write_json,
    write_npz,
)


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
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
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


def test_a_full_disk_is_noticed_before_an_array_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = new_array(tmp_path / "a.npy", (2, 3))
    found[:] = 1
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.ones((2, 3), np.float32))

    def full(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device"):
        new_array(tmp_path / "b.npy", (2, 3))


def test_json_keeps_a_path_that_is_no_text(tmp_path: Path) -> None:
    content = {"schema_version": 1, "path": os.fsdecode(b"/models/\xff")}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json", schema_version=1, remedy="") == content
    assert content_sha256(content) != content_sha256({**content, "path": "/models/"})
