"""The C source for TFLM of a tiny model."""

from pathlib import Path

import numpy as np

from export.deploy.microcontroller.package import FOLDER, make_package
from export.manifest import Manifest
from export.runtimes.predict import encode
from tests.export.conftest import Tiny
from tests.export.deploy.conftest import NOW
from train.common.record import ModelRecord
from train.data.fashion_mnist import INPUT_NAME


def package(converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord) -> Path:
    """Makes the set of files and returns their folder."""
    make_package(*converted, tiny.expected.inputs, record, NOW)
    return record.folder / FOLDER


def stored_inputs(manifest: Manifest, tiny: Tiny, count: int = 4) -> np.ndarray:
    return encode(tiny.expected.inputs[INPUT_NAME][:count], manifest.inputs[0])[:, np.newaxis]
