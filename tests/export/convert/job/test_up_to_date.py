"""What makes an export stale: what shapes its bytes, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.job.inputs import ConversionInputs
from export.convert.job.up_to_date import CODE, ROOT, code_hash, current_manifest, versions
from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS
from export.manifest import Calibration, Manifest
from tests.examples import MANIFEST
from train.common.files.artifact import file_sha256, write_json
from train.common.preprocessing import RAW
from train.common.record import ModelRecord
from train.common.samples import Samples

ENTRY = FORMATS["tflite-int8"]
SETTINGS = resolve([ENTRY], ExportOptions())[ENTRY.name]
MODULE = '''"""What it does."""

SIZE = 3


class Box:
    """A box."""

    def area(self) -> int:
        """Returns the area."""
        return SIZE * SIZE  # a square
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("What it does.", "What it really does.", True),
        ('    """A box."""\n', "", True),
        ("  # a square", "", True),
        ("\n\n\nclass", "\n\nclass", True),
        ("SIZE * SIZE", "SIZE + SIZE", False),
        ("SIZE = 3", "SIZE = 4", False),
        ("def area", "def square", False),
    ],
)
def test_only_what_a_module_does_changes_its_hash(
    old: str, new: str, same: bool, tmp_path: Path
) -> None:
    hashes = []
    for number, text in enumerate((MODULE, MODULE.replace(old, new))):
        folder = tmp_path / str(number) / "code"
        folder.mkdir(parents=True)
        (folder / "module.py").write_text(text)
        hashes.append(code_hash(("code",), folder.parent))
    assert (hashes[0] == hashes[1]) == same


def test_everything_that_is_hashed_is_there_and_the_command_line_is_not() -> None:
    assert all((ROOT / place).exists() for place in CODE)
    hashed = {file for place in CODE for file in (ROOT / place).rglob("*.py")}
    assert ROOT / "export/convert/onnx/converter.py" in hashed
    assert not hashed & {ROOT / "export/command/options.py", ROOT / "export/pipeline.py"}


def calibration_of(names: tuple[str, ...]) -> Calibration:
    return Calibration(
        count=len(names),
        sha256="indices",
        examples=names,
        method="min-max",
        candidates={},
        clipped_share=0.0,
        halves_difference=0.0,
    )


@pytest.fixture
def inputs(tmp_path: Path) -> ConversionInputs:
    """What the export in the folder was made with."""
    values: np.ndarray = np.zeros((2, 3), np.float32)
    return ConversionInputs(
        record=ModelRecord(
            folder=tmp_path,
            file="model.keras",
            sha256="model",
            test_accuracy=None,
            labels=MANIFEST.labels,
            preprocessing=MANIFEST.preprocessing,
            inputs=MANIFEST.inputs,
            outputs=MANIFEST.outputs,
        ),
        preprocessing=MANIFEST.preprocessing,
        representative=RepresentativeDataset(
            inputs={"image": values}, sha256="indices", examples=("a", "b")
        ),
        training=None,
        held_out=Samples(inputs={"image": values}),
    )


def write(inputs: ConversionInputs, **changes: object) -> Manifest:
    file = inputs.record.folder / "tflite-int8.tflite"
    file.write_bytes(b"model")
    manifest = replace(
        MANIFEST,
        path=inputs.record.folder / "tflite-int8.json",
        format=ENTRY.name,
        file=file.name,
        sha256=file_sha256(file),
        size_bytes=file.stat().st_size,
        options=inputs.options(SETTINGS),
        calibration=calibration_of(("a", "b")),
        versions=versions(ENTRY),
    )
    manifest = replace(manifest, **changes)  # type: ignore[arg-type]
    write_json(manifest.path, manifest.as_json())
    return manifest


def test_an_export_is_current_until_what_it_was_made_of_changes(inputs: ConversionInputs) -> None:
    assert current_manifest(ENTRY, SETTINGS, inputs) is None
    manifest = write(inputs)
    assert current_manifest(ENTRY, SETTINGS, inputs) == manifest
    record, representative = inputs.record, inputs.representative
    assert representative is not None
    for changed in (
        replace(inputs, record=replace(record, sha256="other")),
        replace(inputs, record=replace(record, labels=("a", "b"))),
        replace(inputs, preprocessing={"image": RAW}),
        replace(inputs, representative=replace(representative, examples=("a", "c"))),
        replace(inputs, representative=None),
    ):
        assert current_manifest(ENTRY, SETTINGS, changed) is None
    other: Settings = resolve([ENTRY], ExportOptions(io="uint8"))[ENTRY.name]
    assert current_manifest(ENTRY, other, inputs) is None
    manifest.artifact_path.write_bytes(b"other")
    assert current_manifest(ENTRY, SETTINGS, inputs) is None


def test_an_export_by_other_code_or_packages_is_stale(inputs: ConversionInputs) -> None:
    for name in ("edge-export", "tensorflow"):
        write(inputs, versions={**versions(ENTRY), name: "other"})
        assert current_manifest(ENTRY, SETTINGS, inputs) is None
