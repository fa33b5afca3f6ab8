"""Bundles of a custom model: what data they carry, and how it comes back."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.data.open import open_samples
from export.data.test_data import DATA_FILE, save_samples
from export.data.wanted import Wanted
from export.deploy.bundle import predict
from export.deploy.bundle.build import BundleConfig, write_bundle
from tests.bundles import write_export
from train.common.errors import DataError, ToolkitError
from train.common.files.artifact import write_json
from train.common.preprocessing import Preprocessing
from train.common.record import RECORD_FILE, ModelRecord
from train.common.reference_outputs import (
    OUTPUTS_FILE,
    ReferenceOutputs,
    check_reference,
    load_outputs,
    save_outputs,
)
from train.common.samples import Samples
from train.common.tensors import TensorSpec

RANDOM = np.random.default_rng(4)
INPUTS = (
    TensorSpec(name="image", shape=(None, 8, 6, 3), dtype="float32"),
    TensorSpec(name="tokens", shape=(None, 4), dtype="int32"),
)
OUTPUTS = (
    TensorSpec(name="score", shape=(None, 1), dtype="float32"),
    TensorSpec(name="image", shape=(None, 2), dtype="float32"),  # named as an input
)
TEST = Samples(
    inputs={
        "image": RANDOM.integers(0, 255, (20, 8, 6, 3)).astype(np.uint8),
        "tokens": RANDOM.integers(0, 9, (20, 4)),
    },
    targets={
        "score": RANDOM.random((20, 1)).astype(np.float32),
        "image": RANDOM.integers(0, 2, 20),
    },
)
WANTED = Wanted(inputs=INPUTS, outputs=OUTPUTS, option="--data", image_size=None)


@pytest.fixture
def config(tmp_path: Path) -> BundleConfig:
    """A custom model, exported, its outputs on some data computed already."""
    artifacts, data = tmp_path / "artifacts", tmp_path / "test.npz"
    artifacts.mkdir()
    save_samples(TEST, tmp_path)
    (tmp_path / DATA_FILE).rename(data)
    write_export(artifacts, "onnx-float32")
    record = ModelRecord(
        folder=artifacts,
        file="mine.keras",
        sha256="model",
        test_accuracy=None,
        labels=(),
        preprocessing={"image": Preprocessing(scale=1 / 255, offset=0.0)},
        inputs=INPUTS,
        outputs=OUTPUTS,
        request={"path": "mine.keras", "shapes": {}, "custom_objects": None, "unsafe": False},
    )
    write_json(artifacts / RECORD_FILE, record.as_json())
    test = open_samples(str(data), WANTED, tmp_path)
    reference = ReferenceOutputs(
        outputs={
            "score": RANDOM.random((20, 1)).astype(np.float32),
            "image": RANDOM.random((20, 2)).astype(np.float32),
        },
        model_sha256="model",
        data_sha256=test.sha256(),
        inputs_sha256=test.inputs_sha256(),
        preprocessing=record.preprocessing,
        labels=(),
        inputs=INPUTS,
    )
    save_outputs(artifacts / OUTPUTS_FILE, reference)
    return BundleConfig(
        target=tmp_path / "edge", artifacts=artifacts, data=data, formats=None, images=12
    )


def test_inputs_and_targets_come_back_as_they_went(tmp_path: Path) -> None:
    save_samples(TEST, tmp_path)
    found = open_samples(str(tmp_path / DATA_FILE), WANTED, tmp_path)
    for kind in ("inputs", "targets"):
        before, after = getattr(TEST, kind), getattr(found, kind)
        assert sorted(before) == sorted(after)
        for name, values in before.items():
            assert np.array_equal(values, after[name])
            assert values.dtype == after[name].dtype
    assert found.sha256() == TEST.sha256()


def test_it_carries_the_data_the_outputs_and_no_labels(
    config: BundleConfig, tmp_path: Path
) -> None:
    said = write_bundle(config)
    assert "1 exports and 12 of 20 test examples" in said
    data = config.target / "data"
    assert [path.name for path in data.iterdir()] == [DATA_FILE]
    assert not (config.target / "labels.txt").exists()
    assert not (config.target / "artifacts" / RECORD_FILE).exists()
    reference = load_outputs(config.target / "artifacts")
    test = open_samples(str(data / DATA_FILE), WANTED, tmp_path)
    check_reference(reference, test)
    assert len(test) == 12
    content = json.loads((config.target / "bundle.json").read_text())
    assert content["raw"] == {"image": "uint8", "tokens": "int64"}
    readme = (config.target / "README.txt").read_text()
    assert "predict.py artifacts/onnx-float32.onnx inputs.npz" in readme
    assert "the 20 test examples" in readme


def test_the_bundles_own_code_opens_its_data(config: BundleConfig) -> None:
    write_bundle(config)
    code = (
        "import tempfile\n"
        "from pathlib import Path\n"
        "from benchmark.judge.task import tasks_of\n"
        "from export.data.test_data import open_evaluation\n"
        "found = open_evaluation(Path('artifacts'), None, None, Path(tempfile.mkdtemp()))\n"
        "tasks = tasks_of(found.reference, found.samples)\n"
        "tasks = [(q.name, q.kind, q.metric) for q in tasks]\n"
        "print(found.default_baseline, found.examples, tasks)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=config.target,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": "."},
    )
    assert done.stdout.strip() == (
        "None examples [('score', 'values', 'r2'), ('image', 'classes', 'accuracy')]"
    ), done.stderr


def test_custom_data_must_be_given_and_fit(config: BundleConfig, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"mine\.keras, which has no test data of its own; give"):
        write_bundle(replace(config, data=None))
    np.savez(tmp_path / "wrong.npz", image=TEST.inputs["image"])
    with pytest.raises(DataError, match=r"--data .*wrong\.npz: got arrays for 'image', expected"):
        write_bundle(replace(config, data=tmp_path / "wrong.npz"))
    assert not config.target.exists()


def test_predict_reads_one_example_many_pictures_and_archives(tmp_path: Path) -> None:
    images = TEST.inputs["image"]
    np.save(tmp_path / "one.npy", images[0])
    np.save(tmp_path / "many.npy", images)
    np.savez(tmp_path / "named.npz", image=images, tokens=TEST.inputs["tokens"])
    Image.fromarray(images[0]).save(tmp_path / "picture.png")
    shape = INPUTS[0].shape[1:]
    for name, expected in (
        *(("one.npy", images[:1]), ("many.npy", images)),
        *(("named.npz", images), ("picture.png", images[:1])),
    ):
        found = predict.load(tmp_path / name, "image", shape, "uint8")
        assert np.array_equal(found, expected), name
    for wrong, words in (
        (images / 255, r"got float64 \(20, 8, 6, 3\), expected uint8 \(\?, 8, 6, 3\)"),
        (images[:, :7], r"expected uint8 \(\?, 8, 6, 3\)"),
        (images[0, 0], r"got uint8 \(1, 1, 6, 3\), expected uint8"),
    ):
        np.save(tmp_path / "wrong.npy", wrong)
        with pytest.raises(ValueError, match=words):
            predict.load(tmp_path / "wrong.npy", "image", shape, "uint8")


def test_predict_says_a_class_or_what_an_output_holds() -> None:
    three = np.array([0.1, 0.7, 0.2], np.float32)
    assert predict.said("p", three, ("a", "b", "c")) == "b 0.700"
    assert predict.said("p", three, ()) == "1 0.700"
    assert predict.said("y", three * 2, ()) == "y 0.2 1.4 0.4"
    assert predict.said("y", np.array([1.0], np.float32), ()) == "y 1"
