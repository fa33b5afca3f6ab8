"""Is an export up to date? Light: decided from manifests and hashes, without TensorFlow."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from export.formats import Format
from export.manifest import Manifest, check_file, read_manifest
from export.settings import Settings
from train.common.artifact import package_versions
from train.common.errors import ArtifactError
from train.common.record import ModelRecord

PACKAGES = {
    "tflite": ("tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer", "numpy"),
    "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy"),
}
FINE_TUNING_PACKAGES = ("tf-keras", "tensorflow-model-optimization")
# What decides the bytes of an export besides its packages: this toolkit's own code.
CODE = (
    "export",
    "train/data/fashion_mnist.py",
    "train/fit/model.py",
    "train/common/preprocessing.py",
    "train/common/record.py",
    "train/common/samples.py",
)


def versions(entry: Format) -> dict[str, str]:
    """Returns the versions of what makes a format, this toolkit's code by its hash."""
    packages = PACKAGES[entry.family] + (FINE_TUNING_PACKAGES if entry.recipes else ())
    return {"edge-export": code_hash(), **package_versions(*packages)}


@cache
def code_hash() -> str:
    """Returns a hash over the code that decides what an export is."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for place in CODE:
        path = root / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def current_manifest(
    entry: Format,
    settings: Settings,
    record: ModelRecord,
    options: Mapping[str, Any] | None = None,
) -> Manifest | None:
    """Returns the manifest of a format's file if making it again would change nothing.

    `options` are those that a manifest records; None for those of the settings alone.
    """
    try:
        manifest = read_manifest(record.folder / f"{entry.name}.json")
        check_file(manifest)
    except ArtifactError:
        return None
    same = (
        manifest.source.sha256 == record.sha256
        and manifest.options == (options or settings.record())
        and manifest.versions == versions(entry)
    )
    return manifest if same else None
