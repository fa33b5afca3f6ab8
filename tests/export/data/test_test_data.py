"""Test data of the reference job and of a custom model, and the outputs that go with it."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.data.test_data import (
    Evaluation,
    are_pictures,
    open_evaluation,
    save_samples,
    unpacked,
)
from tests.examples import REFERENCE
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import file_sha256, write_json
from train.common.record import RECORD_FILE, ModelRecord
from train.common.reference_outputs import OUTPUTS_FILE, load_outputs, save_outputs
from train.common.samples import Samples
from train.common.tensors import TensorSpec


def evaluation(**inputs: np.ndarray) -> Evaluation:
    return Evaluation(
        samples=Samples(inputs=inputs),
        reference=REFERENCE,
        default_baseline=None,
        same_distribution=False,
        save=save_samples,
    )


def test_outputs_are_mapped_where_a_folder_is_given(tmp_path: Path) -> None:
    outputs: dict[str, np.ndarray] = {
        "a": np.arange(6, dtype=np.float32).reshape(3, 2),
        "b/c": np.ones((3, 2, 2), np.float32),
    }
    save_outputs(tmp_path / OUTPUTS_FILE, replace(REFERENCE, outputs=outputs))
    folder = tmp_path / "unpacked"
    mapped, read = load_outputs(tmp_path, folder), load_outputs(tmp_path)
    assert list(mapped.outputs) == list(read.outputs) == ["a", "b/c"]
    for name, values in outputs.items():
        assert isinstance(mapped.outputs[name], np.memmap)
        assert not isinstance(read.outputs[name], np.memmap)
        assert np.array_equal(mapped.outputs[name], values)
    assert sorted(path.name for path in folder.iterdir()) == ["output0.npy", "output1.npy"]


def test_damaged_outputs_are_one_clear_error_either_way(tmp_path: Path) -> None:
    path = tmp_path / OUTPUTS_FILE
    save_outputs(path, REFERENCE)
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(content)
    for folder in (None, tmp_path / "unpacked"):
        with pytest.raises(ArtifactError, match="is corrupt"):
            load_outputs(tmp_path, folder)


@pytest.mark.parametrize(
    ("shape", "dtype", "pictures"),
    [
        ((5, 8, 8), np.uint8, True),
        ((5, 8, 8, 3), np.uint8, True),
        ((5, 8, 8, 2), np.uint8, False),
        ((5, 8, 8), np.float32, False),
        ((5, 8), np.uint8, False),
    ],
)
def test_only_bytes_shaped_as_pictures_are_images(
    shape: tuple[int, ...], dtype: type, pictures: bool
) -> None:
    values: np.ndarray = np.zeros(shape, dtype)
    assert are_pictures(values) == pictures
    found = evaluation(x=values)
    assert found.examples == ("images" if pictures else "examples")
    assert (found.pictures is not None) == pictures
    assert evaluation(x=values, y=values).pictures is None


def test_raw_values_are_in_a_file_each_and_a_whole_one_is_taken_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.arange(10))
    whole = np.load(tmp_path / "whole.npy", mmap_mode="r")
    samples = Samples(inputs={"whole": whole, "first": whole[:5], "made": np.ones((5, 2))})
    places = unpacked(samples, tmp_path)
    assert places["whole"] == tmp_path / "whole.npy"
    assert np.array_equal(np.load(places["first"]), np.arange(5))
    assert np.array_equal(np.load(places["made"]), np.ones((5, 2)))


@pytest.mark.parametrize(
    "changes",
    [{"model_sha256": "another"}, {"preprocessing": {}}, {"inputs_sha256": "other images"}],
)
def test_stored_outputs_are_taken_only_of_this_model_on_these_inputs(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "mine.keras"
    model.write_bytes(b"weights")
    record = ModelRecord(
        folder=tmp_path,
        file=model.name,
        sha256=file_sha256(model),
        test_accuracy=None,
        labels=(),
        preprocessing=REFERENCE.preprocessing,
        inputs=REFERENCE.inputs,
        outputs=(TensorSpec(name="probabilities", shape=(None, 3), dtype="float32"),),
        request={"path": str(model)},
    )
    write_json(tmp_path / RECORD_FILE, record.as_json())
    images = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    np.save(tmp_path / "test.npy", images)
    test = Samples(inputs={"image": images})
    reference = replace(REFERENCE, model_sha256=record.sha256, inputs_sha256=test.inputs_sha256())
    computed = subprocess.CompletedProcess([], 2, "", "error: it was run\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: computed)

    def outputs() -> np.ndarray:
        found = open_evaluation(tmp_path, tmp_path / "test.npy", None, tmp_path)
        return found.reference.outputs["probabilities"]

    save_outputs(tmp_path / OUTPUTS_FILE, reference)
    assert np.array_equal(outputs(), REFERENCE.outputs["probabilities"])
    save_outputs(tmp_path / OUTPUTS_FILE, replace(reference, **changes))
    with pytest.raises(ToolkitError, match="it was run"):
        outputs()


def test_outputs_of_a_model_that_was_replaced_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a run leaves them that dies between two renames."""
    model = tmp_path / "model.keras"
    model.write_bytes(b"weights")
    record = ModelRecord(
        folder=tmp_path,
        file=model.name,
        sha256=file_sha256(model),
        test_accuracy=None,
        labels=(),
        preprocessing=REFERENCE.preprocessing,
        inputs=REFERENCE.inputs,
        outputs=REFERENCE.output_specs,
    )
    write_json(tmp_path / RECORD_FILE, record.as_json())
    save_outputs(tmp_path / OUTPUTS_FILE, replace(REFERENCE, model_sha256="the older one"))
    test = Samples(inputs={"image": np.zeros((6, 2, 2), np.uint8)})
    monkeypatch.setattr("export.data.test_data.dataset.load_evaluation", lambda *_: test)
    computed = subprocess.CompletedProcess([], 2, "", "error: it was run\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: computed)
    with pytest.raises(ToolkitError, match="it was run"):
        open_evaluation(tmp_path, None, None, tmp_path)
