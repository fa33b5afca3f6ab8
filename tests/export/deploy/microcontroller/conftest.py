"""A verified tiny model in an artifacts folder, ready for the C source."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from export.convert.inputs import ConversionInputs
from export.deploy.microcontroller.package import FOLDER, make_package
from export.formats import FORMATS
from export.manifest import Manifest
from export.pipeline import manifest_of
from export.runtimes.predict import encode
from tests.export.conftest import Tiny, settings_of
from train.common.files.artifact import file_sha256
from train.common.record import ModelRecord
from train.common.samples import Samples
from train.data.fashion_mnist import INPUT, INPUT_NAME, OUTPUT, PREPROCESSING

INT8 = FORMATS["tflite-int8"]
SETTINGS = settings_of(INT8)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("a", 'b "quoted" \\', "c?\n", "Größe", *"efghij")


@pytest.fixture
def record(tiny: Tiny, tmp_path: Path) -> ModelRecord:
    """A model in an artifacts folder of its own."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    path = Path(shutil.copy(tiny.path, folder))
    return ModelRecord(
        folder=folder,
        file=path.name,
        sha256=file_sha256(path),
        test_accuracy=0.9,
        labels=LABELS,
        preprocessing={INPUT_NAME: PREPROCESSING},
        inputs=(INPUT,),
        outputs=(OUTPUT,),
    )


@pytest.fixture
def converted(tiny: Tiny, record: ModelRecord, tmp_path: Path) -> tuple[Path, Manifest]:
    """A verified file outside the artifacts folder, and its manifest."""
    made = tiny.made(INT8.name)
    path = Path(shutil.copy(made.path, tmp_path))
    return path, manifest_of(made, INT8, SETTINGS, inputs_of(tiny, record), NOW)


def inputs_of(tiny: Tiny, record: ModelRecord) -> ConversionInputs:
    """What the tiny model was converted with."""
    return ConversionInputs(
        record=record,
        preprocessing=record.preprocessing,
        representative=tiny.source.representative,
        training=None,
        held_out=Samples(inputs=tiny.expected.inputs),
    )


def package(converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord) -> Path:
    """Makes the set of files and returns their folder."""
    make_package(*converted, tiny.expected.inputs, record, NOW)
    return record.folder / FOLDER


def stored_inputs(manifest: Manifest, tiny: Tiny, count: int = 4) -> np.ndarray:
    return encode(tiny.expected.inputs[INPUT_NAME][:count], manifest.inputs[0])[:, np.newaxis]
