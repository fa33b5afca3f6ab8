"""A verified tiny model in an artifacts folder, ready for C source."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from export.convert.job.inputs import ConversionInputs
from export.formats.table import FORMATS
from export.manifest import Manifest
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
    return path, made.manifest(INT8, SETTINGS, inputs_of(tiny, record), NOW)


def inputs_of(tiny: Tiny, record: ModelRecord) -> ConversionInputs:
    """What the tiny model was converted with."""
    return ConversionInputs(
        record=record,
        preprocessing=record.preprocessing,
        representative=tiny.source.representative,
        training=None,
        held_out=Samples(inputs=tiny.expected.inputs),
    )
