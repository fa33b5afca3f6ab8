"""Artifacts that are there already → a bundle, whole or not at all. Light.

A bundle is a folder, or the same folder in a `.tar.gz`:

    artifacts/        exports, their manifests, the Keras model's outputs on the images below
    data/             images.npy (N, 28, 28) uint8, labels.npy (N,) uint8
    benchmark/ …      the code that measures and judges
    predict.py        the smallest program that classifies an image
    labels.txt        the names of the classes, one a line, in the order of the outputs
    requirements.txt  what to install, with hashes for x86-64 and aarch64
    bundle.json       every file with its size and SHA-256
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export.bundle.archive import pack
from export.bundle.code import code_files
from export.bundle.launcher import SCHEMA_VERSION, seal_of
from export.bundle.place import ARCHIVE_SUFFIX, check_target, put
from export.formats import FORMATS, Format
from export.manifest import Manifest, check_file, read_manifest
from train.artifact import file_sha256, staging, write_json
from train.bundled import BUNDLE_FILE, DATA_FOLDER, REQUIREMENTS_FILE, ROOT, in_bundle
from train.data import load_evaluation, save_slice
from train.errors import ArtifactError, ToolkitError
from train.record import (
    OUTPUTS_FILE,
    ReferenceOutputs,
    check_reference,
    load_outputs,
    save_outputs,
)
from train.samples import Samples

ARTIFACTS_FOLDER = "artifacts"
LOCK_FILE = "requirements-device.txt"
README_NAME = "README.txt"
README = """\
Exported models, and what measures and judges them on this machine. Python 3.11 is needed.

    python3 -m venv .venv
    .venv/bin/pip install --no-deps --require-hashes -r requirements.txt
    .venv/bin/python -m benchmark
    .venv/bin/python predict.py artifacts/{example} image.npy

The table is over {images:,} of the {total:,} test images: {data}.
Results are written to artifacts/, a page to forward among them (benchmark.html).
"""


@dataclass(frozen=True, kw_only=True)
class BundleConfig:
    """What a bundle is made of.

    Attributes:
        target: the folder or the `.tar.gz` to write.
        artifacts: the folder with the exports.
        data: folder of the data set; None to look for it.
        formats: what goes in; None for every export that is there.
        images: how many test images go in at most, the first ones; None for all.
    """

    target: Path
    artifacts: Path
    data: Path | None
    formats: tuple[Format, ...] | None
    images: int | None


def write_bundle(config: BundleConfig) -> str:
    """Writes a bundle and returns a line that says what is in it.

    Nothing is converted. An older bundle at the target is replaced, as a whole.

    Raises:
        ArtifactError: an export is missing, stale or damaged; the target is taken by something
            else or unwritable.
        DataError: the data set cannot be had.
        ToolkitError: this is a bundle itself.
    """
    if in_bundle():
        raise ToolkitError("this is a bundle already; copy it, or make another where it was made")
    target = config.target.resolve()
    check_target(target)
    reference = load_outputs(config.artifacts)
    manifests = find_exports(config.artifacts, config.formats, reference)
    test = load_evaluation(config.data)
    check_reference(reference, test)
    total = len(test)
    part, outputs = sliced(test, reference, config.images or total)
    name = target.name.removesuffix(ARCHIVE_SUFFIX)
    with staging(target.parent, "--bundle") as staged:
        folder = staged / name
        fill(folder, manifests, part, outputs, total)
        if target.name.endswith(ARCHIVE_SUFFIX):
            packed = staged / target.name
            pack(folder, packed, name)
            folder = packed
        put(folder, target)
    return (
        f"{config.target}: {len(manifests)} exports and {len(part):,} of {total:,} test "
        f"images; `python -m benchmark` in it gives the table ({README_NAME} there says how)"
    )


def find_exports(
    artifacts: Path, formats: tuple[Format, ...] | None, reference: ReferenceOutputs
) -> list[Manifest]:
    """Returns the manifests of exports that are whole and of the model that is there.

    Args:
        artifacts: the folder with the exports.
        formats: which; None for every one of the format table that is there.
        reference: the model's outputs.

    Raises:
        ArtifactError: there are none, or one is missing, damaged or of another model.
    """
    chosen = formats or [e for e in FORMATS.values() if (artifacts / f"{e.name}.json").is_file()]
    if not chosen:
        raise ArtifactError(f"no exports in {artifacts}; run `python -m export --format all`")
    found = []
    for entry in chosen:
        path = artifacts / f"{entry.name}.json"
        again = f"run `python -m export --format {entry.name}`"
        if not path.is_file():
            raise ArtifactError(f"no {entry.name} in {artifacts}; {again}")
        manifest = read_manifest(path)
        check_file(manifest)
        if manifest.source.sha256 != reference.model_sha256:
            raise ArtifactError(
                f"{entry.name} was made from another model: got source "
                f"{manifest.source.sha256[:12]}…, expected {reference.model_sha256[:12]}…; "
                f"{again} again"
            )
        found.append(manifest)
    return found


def sliced(
    test: Samples, reference: ReferenceOutputs, count: int
) -> tuple[Samples, ReferenceOutputs]:
    """Returns the first examples and the model's outputs on them, keyed by their own hashes."""
    part = test.take(slice(count))
    outputs = replace(
        reference,
        outputs={name: values[:count] for name, values in reference.outputs.items()},
        inputs_sha256=part.inputs_sha256(),
        data_sha256=part.sha256(),
    )
    return part, outputs


def fill(
    folder: Path,
    manifests: list[Manifest],
    test: Samples,
    reference: ReferenceOutputs,
    total: int,
) -> None:
    """Writes all files of a bundle into a new folder, their list last."""
    artifacts, data = folder / ARTIFACTS_FOLDER, folder / DATA_FOLDER
    artifacts.mkdir(parents=True)
    data.mkdir()
    for manifest in manifests:
        for path in (manifest.path, manifest.artifact_path):
            shutil.copyfile(path, artifacts / path.name)
    save_outputs(artifacts / OUTPUTS_FILE, reference)
    save_slice(test, data)
    here = Path(__file__).parent
    for name, source in {
        **code_files(ROOT),
        "benchmark/__main__.py": here / "launcher.py",
        "predict.py": here / "predict.py",
        REQUIREMENTS_FILE: ROOT / LOCK_FILE,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    (folder / "labels.txt").write_text("\n".join(reference.labels) + "\n", encoding="utf-8")
    count = len(test)
    what = "all" if count == total else f"the first {count:,}, in the data set's order"
    readme = README.format(example=manifests[0].file, images=count, total=total, data=what)
    (folder / README_NAME).write_text(readme, encoding="utf-8")
    write_json(folder / BUNDLE_FILE, list_of(folder, manifests, reference, total))


def list_of(
    folder: Path, manifests: list[Manifest], reference: ReferenceOutputs, total: int
) -> dict[str, Any]:
    """Returns the content of `bundle.json`: what the bundle is of, and all its files."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "formats": [manifest.format for manifest in manifests],
        "model_sha256": reference.model_sha256,
        "data_sha256": reference.data_sha256,
        "images": len(reference),
        "images_total": total,
        "files": {
            path.relative_to(folder).as_posix(): {
                "sha256": file_sha256(path),
                "size_bytes": path.stat().st_size,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    return {**content, "seal": seal_of(content)}
