"""Exports that exist already → a bundle, whole or not at all.

A bundle is a folder, or the same folder in a `.tar.gz`:

    artifacts/        exports, their manifests, the Keras model's outputs on the images below
    data/             images.npy (N, 28, 28) uint8, labels.npy (N,) uint8; of a custom model
                      data.npz, arrays by the inputs' names, targets as `target:` and the output's
    benchmark/ …      the code that measures and judges
    predict.py        the smallest program that runs a model on raw values or a picture
    labels.txt        the names of the classes, if any, one per line, in the outputs' order
    requirements.txt  what to install, with hashes for x86-64 and aarch64
    bundle.json       every file with its size and SHA-256
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from export.data.test_data import Evaluation, open_evaluation
from export.deploy.bundle.archive import pack
from export.deploy.bundle.code import code_files
from export.deploy.bundle.launcher import SCHEMA_VERSION, seal_of
from export.deploy.bundle.target import ARCHIVE_SUFFIX, check_target
from export.formats.table import FORMATS, Format
from export.manifest import Manifest, check_file, read_manifest
from export.model.request import NO_TRUST, Trust
from train.common.environment import BUNDLE_FILE, DATA_FOLDER, REQUIREMENTS_FILE, ROOT, in_bundle
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import file_sha256, write_json
from train.common.files.staging import finish_publishing, publish, staging, temporary_folder
from train.common.record import read_training
from train.common.reference_outputs import OUTPUTS_FILE, ReferenceOutputs, save_outputs

ARTIFACTS_FOLDER = "artifacts"
LOCK_FILE = "requirements-device.txt"
README_NAME = "README.txt"
README = """\
Exported models, and what measures and judges them on this machine. Python 3.11 is needed.

    python3 -m venv .venv
    .venv/bin/pip install --no-deps --require-hashes -r requirements.txt
    .venv/bin/python -m benchmark
    .venv/bin/python predict.py artifacts/{example} {input}

The table is over {images:,} of the {total:,} test {examples}: {data}.
Results are written to artifacts/, a page to forward among them (benchmark.html).
"""


@dataclass(frozen=True, kw_only=True)
class BundleConfig:
    """What a bundle is made of.

    Attributes:
        target: the folder or the `.tar.gz` to write.
        artifacts: the folder with the exports.
        data: folder of the data set, None to look for it; of a custom model its test data.
        formats: what goes in; None for every export that is there.
        images: how many test examples go in at most, the first ones; None for all.
        image_size: height and width that pictures are brought to; None for that of the model's
            input.
        trust: what may be run of code that comes with the Keras model.
    """

    target: Path
    artifacts: Path
    data: Path | None
    formats: tuple[Format, ...] | None
    images: int | None
    image_size: tuple[int, int] | None = None
    trust: Trust = NO_TRUST


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
    name = target.name.removesuffix(ARCHIVE_SUFFIX)
    finish_publishing(config.artifacts)
    with temporary_folder("edge-bundle-") as unpacked:
        found = open_evaluation(
            config.artifacts, config.data, config.image_size, unpacked, config.trust
        )
        manifests = find_exports(config.artifacts, config.formats, found.reference)
        total = len(found.samples)
        training = read_training(config.artifacts, found.reference.model_sha256)
        part = first_examples(found, config.images or total)
        part = replace(part, reference=replace(part.reference, training=training))
        with staging(target.parent, "--bundle") as staged:
            made = staged / name
            write_files(made, manifests, part, total)
            if target.name.endswith(ARCHIVE_SUFFIX):
                packed = staged / target.name
                pack(made, packed, name)
                made = packed
            publish([made], target.parent)
    return (
        f"{config.target}: {len(manifests)} exports and {len(part.samples):,} of {total:,} test "
        f"{part.examples}; `python -m benchmark` in it gives the table ({README_NAME} there says "
        "how)"
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


def first_examples(found: Evaluation, count: int) -> Evaluation:
    """Returns the first examples and the model's outputs on them, keyed by their own hashes."""
    part = found.samples.take(slice(count))
    outputs = replace(
        found.reference,
        outputs={name: values[:count] for name, values in found.reference.outputs.items()},
        inputs_sha256=part.inputs_sha256(),
        data_sha256=part.sha256(),
    )
    return replace(found, samples=part, reference=outputs)


def write_files(folder: Path, manifests: list[Manifest], part: Evaluation, total: int) -> None:
    """Writes all files of a bundle into a new folder, their list last."""
    artifacts, data = folder / ARTIFACTS_FOLDER, folder / DATA_FOLDER
    test, reference = part.samples, part.reference
    artifacts.mkdir(parents=True)
    data.mkdir()
    for manifest in manifests:
        for path in (manifest.path, manifest.artifact_path):
            shutil.copyfile(path, artifacts / path.name)
    save_outputs(artifacts / OUTPUTS_FILE, reference)
    part.save(test, data)
    write_code(folder)
    if reference.labels:
        text = "\n".join(reference.labels) + "\n"
        (folder / "labels.txt").write_text(text, encoding="utf-8")
    count = len(test)
    what = "all" if count == total else f"the first {count:,}, in the data set's order"
    one = "image.npy" if part.examples == "images" else "input.npy"
    readme = README.format(
        example=manifests[0].file,
        input=one if len(test.inputs) == 1 else "inputs.npz",
        images=count,
        total=total,
        examples=part.examples,
        data=what,
    )
    (folder / README_NAME).write_text(readme, encoding="utf-8")
    write_json(folder / BUNDLE_FILE, index_of(folder, manifests, part, total))


def write_code(folder: Path) -> None:
    """Writes this toolkit's own part of a bundle, and what it needs."""
    here = Path(__file__).parent
    for name, source in {
        **code_files(ROOT),
        "benchmark/__main__.py": here / "launcher.py",
        "predict.py": here / "predict.py",
        REQUIREMENTS_FILE: ROOT / LOCK_FILE,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)


def copy_bundle(given: Path, folder: Path) -> None:
    """Copies the exports and the data of a whole bundle; the code is this toolkit's own.

    What is in a bundle from elsewhere is not run, and an older one is measured as a new one is.
    """
    content = json.loads((given / BUNDLE_FILE).read_bytes())
    for name in content["files"]:
        path = PurePosixPath(name)
        if path.parts[0] in (ARTIFACTS_FOLDER, DATA_FOLDER) and len(path.parts) == 2:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(given / name, folder / name)
    write_code(folder)
    write_json(folder / BUNDLE_FILE, with_files(content, folder))


def with_files(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the content of `bundle.json` with the list of a folder's files, sealed."""
    listed = {
        **{name: value for name, value in content.items() if name not in ("files", "seal")},
        "files": {
            path.relative_to(folder).as_posix(): {
                "sha256": file_sha256(path),
                "size_bytes": path.stat().st_size,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    return {**listed, "seal": seal_of(listed)}


def index_of(
    folder: Path, manifests: list[Manifest], part: Evaluation, total: int
) -> dict[str, Any]:
    """Returns the content of `bundle.json`: what the bundle is of, and all its files."""
    reference = part.reference
    content = {
        "schema_version": SCHEMA_VERSION,
        "formats": [manifest.format for manifest in manifests],
        "model_sha256": reference.model_sha256,
        "data_sha256": reference.data_sha256,
        "images": len(part.samples),
        "images_total": total,
        "raw": {name: values.dtype.name for name, values in part.samples.inputs.items()},
    }
    return with_files(content, folder)
