"""A stand-in for the folder of `python -m export --bundle`: light code, exports and test images."""

import shutil
from pathlib import Path

from benchmark.process import REPOSITORY
from benchmark.subjects import find_manifests
from export.manifest import read_manifest
from train import sources
from train.record import OUTPUTS_FILE, RECORD_FILE

CODE = ("train", "export", "benchmark")
DATA = "data"
REQUIREMENTS = "requirements.txt"


def make_bundle(artifacts: Path, data: Path | None, folder: Path) -> None:
    """Writes all that the benchmark needs elsewhere into a new folder.

    Raises:
        ArtifactError: there are no exports.
        DataError: the data set cannot be had.
    """
    manifests = find_manifests(artifacts, None)
    for package in CODE:
        shutil.copytree(
            REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copyfile(REPOSITORY / "requirements-device.txt", folder / REQUIREMENTS)
    exports = folder / "artifacts"
    exports.mkdir()
    for path in (artifacts / RECORD_FILE, artifacts / OUTPUTS_FILE, *manifests):
        shutil.copyfile(path, exports / path.name)
    for path in manifests:
        file = read_manifest(path).artifact_path
        shutil.copyfile(file, exports / file.name)
    test_files = (sources.TEST_IMAGES, sources.TEST_LABELS)
    (folder / DATA).mkdir()
    for name, content in sources.read_files(test_files, data).items():
        (folder / DATA / name).write_bytes(content)
