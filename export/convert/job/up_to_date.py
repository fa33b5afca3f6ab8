"""Is an export up to date? Decided from manifests and hashes, without TensorFlow."""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from export.convert.job.inputs import ConversionInputs
from export.formats.settings import Settings
from export.formats.table import Format
from export.manifest import Calibration, Manifest, check_file, read_manifest
from train.common.errors import ArtifactError
from train.common.files.artifact import package_versions

OTHERS = ("c", "html", "mjs", "ts", "txt")  # suffixes of code that is not Python's
ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {
    "tflite": ("tensorflow", "keras", "ai-edge-litert", "numpy"),
    "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy"),
}
FINE_TUNING_PACKAGES = ("tf-keras", "tensorflow-model-optimization")
# What decides the bytes of an export besides its packages. Verification is part of it, which
# chooses among attempts; how data is read is not: the hashes of calibration examples show that.
CODE = (
    "export/convert",
    "export/data/split.py",
    "export/formats",
    "export/model",
    "export/verify",
    "train/common/preprocessing.py",
    "train/common/samples.py",
    "train/data/fashion_mnist.py",
)


def versions(entry: Format, code: Iterable[str] = CODE) -> dict[str, str]:
    """Returns the versions of what makes a format, this toolkit's code by its hash."""
    packages = PACKAGES[entry.family] + (
        () if entry.recipes in ((), ("qat",)) else FINE_TUNING_PACKAGES
    )
    return {"edge-export": code_hash(tuple(code)), **package_versions(*packages)}


@cache
def code_hash(places: tuple[str, ...], root: Path = ROOT) -> str:
    """Returns a hash over what the modules at some places do, folders or files."""
    digest = hashlib.sha256()
    for place in places:
        path = root / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(without_comments(file.read_text(encoding="utf-8")).encode())
        for file in sorted(each for suffix in OTHERS for each in path.rglob(f"*.{suffix}")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def without_comments(source: str) -> str:
    """Returns the syntax tree of a module as text: without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            del node.body[0]
    return ast.dump(tree)


def current_manifest(
    entry: Format, settings: Settings, inputs: ConversionInputs
) -> Manifest | None:
    """Returns the manifest of a format's file if making it again would change nothing."""
    try:
        manifest = read_manifest(inputs.record.folder / f"{entry.name}.json")
        check_file(manifest)
    except ArtifactError:
        return None
    same = matches(manifest, inputs.options(settings), versions(entry), inputs)
    return manifest if same else None


def matches(
    manifest: Manifest,
    options: Mapping[str, Any],
    made_by: Mapping[str, str],
    inputs: ConversionInputs,
) -> bool:
    """Returns whether a manifest is of a model, options, versions and data."""
    record = inputs.record
    return (
        manifest.source.sha256 == record.sha256
        and manifest.labels == record.labels
        and manifest.preprocessing == inputs.preprocessing
        and manifest.options == options
        and manifest.versions == made_by
        and (manifest.calibration is None or _calibrated(manifest.calibration, inputs))
    )


def _calibrated(calibration: Calibration, inputs: ConversionInputs) -> bool:
    """Returns whether a file was calibrated on these data: on all of them, or on a part."""
    if calibration.folds:
        return inputs.every is not None and calibration.examples == inputs.every.short_hashes()
    representative = inputs.representative
    return representative is not None and calibration.examples == representative.examples
