import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256
from train.common.preprocessing import Preprocessing
from train.common.record import read_model_record
from train.common.reference_outputs import ReferenceOutputs, load_outputs, save_outputs
from train.common.tensors import TensorSpec


def write_model(folder: Path, **changes: Any) -> Path:
    (folder / "model.keras").write_bytes(b"weights")
    record = {
        "schema_version": 1,
        "model": {"file": "model.keras", "sha256": file_sha256(folder / "model.keras")},
        "accuracy": {"test": 0.9},
        "labels": ["a", "b"],
        "preprocessing": {"image": {"scale": 0.5, "offset": 0.0}},
        "inputs": [{"name": "image", "shape": [None, 28, 28], "dtype": "float32"}],
        "outputs": [{"name": "probabilities", "shape": [None, 10], "dtype": "float32"}],
    }
    (folder / "model.json").write_text(json.dumps({**record, **changes}))
    return folder


def test_record_is_read(tmp_path: Path) -> None:
    record = read_model_record(write_model(tmp_path))
    assert record.test_accuracy == 0.9
    assert record.labels == ("a", "b")
    assert record.preprocessing["image"].scale == 0.5
    assert record.inputs[0].shape == (None, 28, 28)


def test_no_model_yet(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no model in .* yet.*run `python -m train`"):
        read_model_record(tmp_path)


def test_a_model_changed_after_its_record_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"other weights")
    with pytest.raises(ArtifactError, match=r"not the model that model\.json describes"):
        read_model_record(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {}},
        {"model": None},
        {"accuracy": {"test": "high"}},
        {"labels": None},
        {"preprocessing": {"image": {"gain": 1}}},
        {"inputs": [{"name": "image"}]},
    ],
)
def test_a_garbled_record_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_model(tmp_path, **changes)
    with pytest.raises(ArtifactError, match=r"model\.json.* (got|has no) .*run `python -m train`"):
        read_model_record(tmp_path)


def reference() -> ReferenceOutputs:
    outputs = np.random.RandomState(0).rand(20, 10).astype(np.float32)
    return ReferenceOutputs(
        outputs={"probabilities": outputs, "target": outputs[:, :1]},
        model_sha256="m",
        data_sha256="d",
        inputs_sha256="i",
        preprocessing={"image": Preprocessing(scale=(0.5, 1 / 255), offset=0.5)},
        labels=("a", "b"),
        inputs=(TensorSpec(name="image", shape=(None, 2), dtype="float32"),),
        own_rounding_db={"target": 57.5},
        dtypes={"target": "int32"},
    )


def test_outputs_round_trip(tmp_path: Path) -> None:
    save_outputs(tmp_path / "model.outputs.npz", reference())
    found = load_outputs(tmp_path)
    assert list(found.outputs) == ["probabilities", "target"]
    for name, values in reference().outputs.items():
        assert np.array_equal(found.outputs[name], values)
        assert found.outputs[name].dtype == np.float32
    assert len(found) == 20
    assert found.inputs == reference().inputs
    assert (found.model_sha256, found.data_sha256, found.inputs_sha256) == ("m", "d", "i")
    assert found.preprocessing == reference().preprocessing
    assert found.labels == ("a", "b")
    assert found.own_rounding_db == {"target": 57.5}
    assert [spec.is_exact for spec in found.output_specs] == [False, True]


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "array", "pickle", "lacking"])
def test_bad_outputs_are_refused_and_nothing_is_executed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.outputs.npz"
    save_outputs(path, reference())
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("hello")
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "pickle":
        hostile = np.array([{"a": print}], dtype=object)
        np.savez(path, outputs=hostile, model_sha256="m", data_sha256="d")
    else:
        np.savez(path, outputs=np.zeros(3))
    with pytest.raises(ArtifactError, match=r"model\.outputs\.npz is corrupt .* again"):
        load_outputs(tmp_path)


def test_outputs_that_the_disk_cannot_hold_are_not_called_corrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_outputs(tmp_path / "model.outputs.npz", reference())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=40))
    with pytest.raises(ArtifactError, match=r"cannot be read: arrays of .* bytes do not fit into"):
        load_outputs(tmp_path, tmp_path)


def test_missing_outputs_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is not there; run `python -m train`"):
        load_outputs(tmp_path)
