"""Exports, images and the bundle of them that need no training and no runtime."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from export.deploy.bundle.build import BundleConfig
from export.formats.table import FORMATS
from export.manifest import Manifest
from tests.conftest import synthetic
from tests.examples import MANIFEST, OUTPUT, REFERENCE
from train.common.files.artifact import file_sha256, write_json
from train.common.reference_outputs import OUTPUTS_FILE, save_outputs
from train.common.tensors import TensorSpec
from train.data.fashion_mnist import as_samples, save_slice

COUNT = 30
NAMES = ("tflite-int8", "onnx-float32")


def write_export(artifacts: Path, name: str) -> Manifest:
    entry = FORMATS[name]
    path = artifacts / f"{name}{entry.suffix}"
    path.write_bytes(name.encode() * 100)
    manifest = replace(
        MANIFEST,
        path=artifacts / f"{name}.json",
        format=name,
        runtime="litert" if entry.family == "tflite" else "onnxruntime",
        file=path.name,
        sha256=file_sha256(path),
        size_bytes=path.stat().st_size,
        inputs=(
            TensorSpec(name="image", shape=(1, 28, 28), dtype="int8", scale=1 / 255, zero_point=0),
        ),
        outputs=(OUTPUT,),
    )
    write_json(manifest.path, manifest.as_json())
    return manifest


def write_inputs(folder: Path, *, labelled: bool = True) -> BundleConfig:
    """Writes artifacts and test images into a folder; returns what makes a bundle of them."""
    artifacts, data = folder / "artifacts", folder / "images"
    artifacts.mkdir(parents=True)
    data.mkdir()
    found = synthetic(COUNT, seed=1)
    labels = (found.labels % 3).astype(np.uint8)
    test = as_samples(found.images, labels)
    save_slice(test if labelled else as_samples(found.images, None), data)
    reference = replace(
        REFERENCE,
        outputs={"probabilities": np.eye(3, dtype=np.float32)[labels]},
        inputs_sha256=test.inputs_sha256(),
        data_sha256=test.sha256(),
    )
    save_outputs(artifacts / OUTPUTS_FILE, reference)
    for name in NAMES:
        write_export(artifacts, name)
    return BundleConfig(
        target=folder / "made" / "edge", artifacts=artifacts, data=data, formats=None, images=None
    )
