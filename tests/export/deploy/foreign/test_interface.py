"""What is a model that a runtime loads, and what is refused before it is run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from export.deploy.foreign import interface, probe
from export.deploy.foreign.interface import read_foreign
from tests.export.deploy.foreign.files import of_another_version, smallest, with_custom_operator
from train.common.errors import ArtifactError


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_a_file_is_loaded_once_and_says_what_it_takes(tmp_path: Path, runtime: str) -> None:
    path = smallest(tmp_path, runtime)
    found = read_foreign(path)
    assert (found.runtime, found.size_bytes) == (runtime, path.stat().st_size)
    assert [spec.dtype for spec in (*found.inputs, *found.outputs)] == ["float32", "float32"]
    assert len(found.graph.operators) == 1


def nothing(folder: Path) -> Path:
    return folder / "absent.onnx"


def another_kind(folder: Path) -> Path:
    path = folder / "model.pkl"
    path.write_bytes(b"cos\nsystem\n")
    return path


def text(folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_text("hello")
    return path


def other_identifier(folder: Path) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(bytes(100))
    return path


def half(folder: Path) -> Path:
    path = smallest(folder, "litert")
    path.write_bytes(path.read_bytes()[:200])
    return path


def custom(folder: Path) -> Path:
    return with_custom_operator(smallest(folder, "litert"), folder / "custom.tflite")


def newer(folder: Path) -> Path:
    return of_another_version(smallest(folder, "litert"), folder / "newer.tflite")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (nothing, r"absent\.onnx: No such file or directory; give another file"),
        (another_kind, r"got a file of another kind, expected \.tflite or \.onnx; give another"),
        (text, r"is not an ONNX file: .*; give another file"),
        (other_identifier, "does not carry TFLite's file identifier; give another file"),
        (half, r"is a damaged TFLite file: .*; give another file"),
        (custom, r"custom\.tflite needs vendor_npu, expected operators that LiteRT has; give"),
        (newer, r"newer\.tflite needs RESHAPE, expected operators that LiteRT has; give"),
    ],
)
def test_what_is_no_model_or_lacks_operators_is_said(
    tmp_path: Path, make: Callable[[Path], Path], expected: str
) -> None:
    with pytest.raises(ArtifactError, match=expected):
        read_foreign(make(tmp_path))


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interface, "MAX_BYTES", 100)
    with pytest.raises(ArtifactError, match="it has more than 100 bytes; give another file"):
        read_foreign(smallest(tmp_path, "litert"))


def test_a_file_that_takes_its_runtime_down_costs_only_that_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = smallest(tmp_path, "litert")
    monkeypatch.setattr(probe, "__name__", "faulthandler")  # ends without an answer
    with pytest.raises(ArtifactError, match=r"LiteRT crashes when it loads it \(.*\); give"):
        read_foreign(path)
