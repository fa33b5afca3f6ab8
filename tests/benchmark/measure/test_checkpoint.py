from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.measure.checkpoint import FOLDER, PartialResults, identity_of
from benchmark.measure.variants import Variant
from tests.examples import MANIFEST, REFERENCE
from train.common.environment import read_environment
from train.common.errors import ArtifactError

ROW = {"load_ms": 5.0, "outputs": ["classes", "a mask"]}
IDENTITY = {"model": "m", "settings": {"samples": 10, "modes": ("xnnpack",)}}


def fill(raw: PartialResults) -> None:
    scratch = raw.scratch("tflite-int8+1t")
    np.save(scratch / "0.npy", np.eye(3, dtype=np.float32))
    np.save(scratch / "1.npy", np.ones((3, 2, 2), np.float32))
    raw.add_row("tflite-int8+1t", ROW, scratch)
    raw.add_round(0, {"tflite-int8+1t": {"durations_ns": [1, 2, 3]}})
    raw.add_round(7, {"tflite-int8+1t": {"durations_ns": [4]}})
    raw.add_answer("tflite-int8+1t", "throughput", {"images_per_second": 9.5})


def test_what_was_kept_is_there_when_resumed(tmp_path: Path) -> None:
    fill(PartialResults(tmp_path, IDENTITY, resume=False))
    raw = PartialResults(tmp_path, IDENTITY, resume=True)
    assert raw.row("tflite-int8+1t") == ROW
    outputs = raw.outputs("tflite-int8+1t")
    assert list(outputs) == ["classes", "a mask"]
    assert np.array_equal(outputs["classes"], np.eye(3))
    assert outputs["a mask"].shape == (3, 2, 2)
    assert list(raw.rounds(range(10))) == [0, 7]
    assert raw.rounds(range(1))[0]["tflite-int8+1t"]["durations_ns"].tolist() == [1, 2, 3]
    assert raw.answer("tflite-int8+1t", "throughput") == {"images_per_second": 9.5}
    assert raw.row("onnx-int8+1t") is None
    assert raw.answer("onnx-int8+1t", "throughput") is None


def test_a_new_run_starts_with_nothing(tmp_path: Path) -> None:
    fill(PartialResults(tmp_path, IDENTITY, resume=False))
    raw = PartialResults(tmp_path, IDENTITY, resume=False)
    assert raw.row("tflite-int8+1t") is None
    assert raw.rounds(range(10)) == {}


def test_nothing_to_resume_is_a_new_run(tmp_path: Path) -> None:
    assert PartialResults(tmp_path, IDENTITY, resume=True).rounds(range(10)) == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "other"}, 'another model: got "m", expected "other"'),
        ({"settings": {"samples": 20}}, "another settings"),
    ],
)
def test_another_run_is_never_mixed_in(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    fill(PartialResults(tmp_path, IDENTITY, resume=False))
    with pytest.raises(ArtifactError, match="without --resume to start anew") as error:
        PartialResults(tmp_path, {**IDENTITY, **changes}, resume=True)
    assert words in str(error.value)
    assert PartialResults(tmp_path, IDENTITY, resume=True).row("tflite-int8+1t") is not None


def test_another_machine_model_data_or_file_is_another_run() -> None:
    variant = Variant(
        format="tflite-int8",
        runtime="litert",
        mode="xnnpack",
        threads=1,
        manifest=MANIFEST,
        path=Path("fake"),
    )
    machine = read_environment()
    found = [
        identity_of({"samples": 10}, [variant], REFERENCE, machine),
        identity_of({"samples": 20}, [variant], REFERENCE, machine),
        identity_of({"samples": 10}, [variant], REFERENCE, replace(machine, cpu="other")),
        identity_of({"samples": 10}, [variant], replace(REFERENCE, model_sha256="other"), machine),
        identity_of({"samples": 10}, [variant], replace(REFERENCE, inputs_sha256="other"), machine),
        identity_of(
            {"samples": 10},
            [replace(variant, manifest=replace(MANIFEST, sha256="other"))],
            *(REFERENCE, machine),
        ),
    ]
    assert all(found.count(identity) == 1 for identity in found)


def test_outputs_without_their_scalars_are_not_a_row(tmp_path: Path) -> None:
    """A kill between the two files of a row: it is measured again."""
    raw = PartialResults(tmp_path, IDENTITY, resume=False)
    fill(raw)
    (tmp_path / FOLDER / "tflite-int8+1t.json").unlink()
    assert raw.row("tflite-int8+1t") is None


def test_a_result_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    raw = PartialResults(tmp_path, IDENTITY, resume=False)
    with pytest.raises(TypeError):
        raw.add_round(0, {"tflite-int8+1t": {"durations_ns": [1]}, "onnx-int8+1t": object()})
    assert raw.rounds(range(1)) == {}


@pytest.mark.parametrize("content", ["", "{", '{"schema_version": 9}', "[]"])
def test_a_garbled_run_is_one_clear_error(tmp_path: Path, content: str) -> None:
    fill(PartialResults(tmp_path, IDENTITY, resume=False))
    (tmp_path / FOLDER / "run.json").write_text(content)
    with pytest.raises(ArtifactError, match="run without --resume to start anew"):
        PartialResults(tmp_path, IDENTITY, resume=True)


@pytest.mark.parametrize(
    "name", ["tflite-int8+1t.json", "round-000.json", "tflite-int8+1t.output1.npy"]
)
def test_a_garbled_result_is_one_clear_error(tmp_path: Path, name: str) -> None:
    fill(PartialResults(tmp_path, IDENTITY, resume=False))
    (tmp_path / FOLDER / name).write_text("[1")
    raw = PartialResults(tmp_path, IDENTITY, resume=True)
    with pytest.raises(ArtifactError, match=r"is corrupt .* without --resume to start anew"):
        read_all(raw)


def read_all(raw: PartialResults) -> None:
    raw.row("tflite-int8+1t")
    raw.outputs("tflite-int8+1t")
    raw.rounds(range(10))


def test_deleted(tmp_path: Path) -> None:
    raw = PartialResults(tmp_path, IDENTITY, resume=False)
    fill(raw)
    raw.delete()
    assert list(tmp_path.iterdir()) == []
