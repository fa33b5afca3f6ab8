import argparse
from pathlib import Path

import pytest

from export.model.request import ModelRequest, file_sha256_of, module_file, parse_shape
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import file_sha256


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image=1,96,96,3", ("image", (1, 96, 96, 3))),
        ("image=?,96,?,3", ("image", (None, 96, None, 3))),
        (" x-1 = 1, 5", ("x-1", (1, 5))),
        ("x=1", ("x", (1,))),
    ],
)
def test_shape_is_parsed(text: str, expected: tuple[str, tuple[int | None, ...]]) -> None:
    assert parse_shape(text) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "x=", "=1,2", "x=2,3", "x=1,0", "x=1,-3", "x=1,a", "x=1,²"]
)
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="image=1,96,96,3"):
        parse_shape(text)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.keras", None, "is not there; expected a .keras"),
        ("model.pkl", b"x", r"got .*model.pkl, expected a .keras"),
        ("model.tflite", b"x", "expected a .keras"),
        ("model.keras", b"", "is empty"),
        ("model.h5", b"", "is empty"),
        ("package:function:x", None, "is not there"),
    ],
)
def test_what_is_no_model_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        _ = ModelRequest(path=str(tmp_path / name)).kind


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"folder without saved_model\.pb"):
        _ = ModelRequest(path=str(tmp_path)).kind


def test_hash_of_a_file_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"content")
    assert file_sha256_of(ModelRequest(path=str(path))) == file_sha256(path)


def test_hash_of_a_folder_covers_names_and_contents(tmp_path: Path) -> None:
    request = ModelRequest(path=str(tmp_path))
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "data").write_bytes(b"1")
    first = file_sha256_of(request)
    (tmp_path / "variables" / "data").write_bytes(b"2")
    second = file_sha256_of(request)
    (tmp_path / "variables" / "data").rename(tmp_path / "variables" / "index")
    assert len({first, second, file_sha256_of(request)}) == 3


def test_hash_of_a_callable_is_its_modules_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "hashed_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    module = package / "networks.py"
    module.write_text("raise RuntimeError('imported')")
    monkeypatch.chdir(tmp_path)
    request = ModelRequest(path="hashed_package.networks:make")
    assert file_sha256_of(request) == file_sha256(module)
    assert module_file("hashed_package") == package / "__init__.py"
    with pytest.raises(ToolkitError, match=r"no module hashed_package.gone"):
        module_file("hashed_package.gone")
    with pytest.raises(ToolkitError, match="no module sys"):
        module_file("sys")
