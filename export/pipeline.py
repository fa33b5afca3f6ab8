"""Source model → convert → verify → write, a format at a time. Heavy."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from export.convert.inputs import Material, own_material, reference_material
from export.convert.make import Made, can_be_made, make
from export.convert.memory import release_memory
from export.convert.refusal import with_advice
from export.convert.source import SourceModel
from export.current import current_manifest, versions
from export.deploy.microcontroller.arena import check_interpreter
from export.deploy.microcontroller.operators import lacks
from export.deploy.microcontroller.package import make_package
from export.formats import FORMATS, TFLM, TFLM_MODEL, Format
from export.manifest import Manifest, Source
from export.own import OwnModel
from export.settings import ExportOptions, Settings, resolve
from export.summary import summary
from export.verify.distance import are_classes
from export.verify.expectation import Expectation
from train.common.artifact import file_sha256, publish, staging, write_json
from train.common.errors import ArtifactError, ToolkitError
from train.common.preprocessing import Preprocessing, preprocess
from train.common.progress import Progress
from train.common.record import MODEL_FILE, RECORD_FILE, ModelRecord, read_model_record


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """One run of `python -m export`.

    Attributes:
        artifacts: folder that the exports are written to.
        data: folder of the reference data set; None to look for it.
        formats: what to make.
        settings: the options of each format, by name; of `tflite-int8` too if `tflm`.
        tflm: whether to make the C source for microcontrollers as well.
        own: a user's own model; None for the one that `train` made.
        force: whether to make again what is up to date.
    """

    artifacts: Path
    data: Path | None
    formats: Sequence[Format]
    settings: Mapping[str, Settings]
    tflm: bool = False
    own: OwnModel | None = None
    force: bool = False


def export_formats(
    config: ExportConfig,
    report: Progress,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, ToolkitError]:
    """Makes every format asked for; one that fails leaves the others, and its earlier self, be.

    Returns:
        The error of each format that failed, by name; empty when all were written.

    Raises:
        ArtifactError: there is no model to export, or the folder cannot be written.
        DataError: the data cannot be had, or has too few examples to calibrate.
    """
    samples = next(
        (s.calibration_samples for s in config.settings.values() if s.calibration_samples), None
    )
    failures: dict[str, ToolkitError] = {}
    with staging(config.artifacts) as staged:
        report.step("loading the model")
        work = staged / "work"
        work.mkdir()
        if config.own is None:
            record = read_model_record(config.artifacts)
            material = reference_material(record, config.data, samples)
        else:
            check_place(config.artifacts, config.own)
            material = own_material(config.own, config.artifacts, work)
            write_json(staged / RECORD_FILE, material.record.as_json())
            publish([staged / RECORD_FILE], config.artifacts)
        source = SourceModel(
            material.model,
            representative=material.representative,
            training=material.training,
            folder=work,
        )
        expected = expectation(source, material)

        made_of: dict[str, bool] = {}  # whether formats can be made, as far as it is known

        def trial(name: str) -> bool:
            if name not in made_of:
                made_of[name] = can_be_made(FORMATS[name], source, expected, work)
            return made_of[name]

        for entry in config.formats:
            settings = config.settings[entry.name]
            if not config.force and current_of(entry, settings, material):
                report.milestone(f"{entry.name:<28} is up to date; --force makes it again")
                continue
            report.step(f"{entry.name}: converting")
            release_memory()
            by_default = settings == resolve([entry], ExportOptions())[entry.name]
            try:
                check_data(entry, material)
                made = make(entry, settings, source, expected, staged)
            except ToolkitError as error:
                if by_default:
                    made_of[entry.name] = False
                report.step(f"{entry.name}: failed, looking for a format that can be made")
                failures[entry.name] = with_advice(error, entry, trial)
                report.milestone(f"{entry.name:<28} FAILED")
                continue
            if by_default:
                made_of[entry.name] = True
            manifest = manifest_of(
                made,
                entry,
                options_of(settings, material),
                material.record,
                material.preprocessing,
                now(),
            )
            write_json(staged / manifest.path.name, manifest.as_json())
            publish([made.path, staged / manifest.path.name], config.artifacts)
            report.milestone(summary(manifest))
        if config.tflm:
            report.step(f"{TFLM}: converting, looking for the smallest tensor arena")
            try:
                report.milestone(
                    make_tflm(config.settings[TFLM_MODEL], source, expected, material, work, now())
                )
            except ToolkitError as error:
                failures[TFLM] = error
                report.milestone(f"{TFLM:<28} FAILED")
    return failures


def check_place(artifacts: Path, own: OwnModel) -> None:
    """Raises ArtifactError if a folder holds a model that `train` made, and not this one."""
    trained = artifacts / MODEL_FILE
    if trained.is_file() and not Path(own.request.path).resolve() == trained.resolve():
        raise ArtifactError(
            f"{artifacts} holds the model that `python -m train` made, expected a folder for the "
            f"exports of {own.request.path}; give one with --artifacts"
        )


def check_data(entry: Format, material: Material) -> None:
    """Raises ToolkitError if a format needs data that there is not."""
    if material.representative is None and (entry.calibrated or entry.recipes):
        shapes = ", ".join(str(spec) for spec in material.model.inputs)
        raise ToolkitError(
            f"{entry.name} needs calibration data and got none; give with --calibration an .npz "
            f"with arrays by input name ({shapes}; a few hundred examples), a folder of images by "
            "class, or module:callable"
        )


def current_of(entry: Format, settings: Settings, material: Material) -> Manifest | None:
    """Returns the manifest of a user's format if making it again would change nothing."""
    if material.record.request is None:
        return None  # decided before TensorFlow was loaded
    found = current_manifest(entry, settings, material.record, options_of(settings, material))
    if found is None or found.preprocessing != material.preprocessing:
        return None
    same = found.calibration is None or (
        material.representative is not None
        and found.calibration.sha256 == material.representative.sha256
    )
    return found if same else None


def options_of(settings: Settings, material: Material) -> dict[str, Any]:
    """Returns the options that a manifest records."""
    found = settings.record()
    if material.representative is not None and settings.calibration_samples is not None:
        found["calibration_samples"] = len(material.representative)
    if material.preprocessing != material.record.preprocessing:
        found["embed_preprocessing"] = True
    return found


def make_tflm(
    settings: Settings,
    source: SourceModel,
    expected: Expectation,
    material: Material,
    folder: Path,
    now: datetime,
) -> str:
    """Makes the C source for microcontrollers, of the file that is there or of one made for it.

    A file made for it is verified like any other but not published: the folder may hold one of
    other options.

    Returns:
        What was made, as text for the terminal.

    Raises:
        ToolkitError: the model cannot be converted, or not for TFLM.
        CheckError: the file does not do what the model does.
    """
    check_interpreter()
    entry, record = FORMATS[TFLM_MODEL], material.record
    check_data(entry, material)
    manifest = current_manifest(entry, settings, record, options_of(settings, material))
    if manifest is not None:
        model = manifest.artifact_path
    else:
        made = make(entry, settings, source, expected, folder)
        if made.verification.missing_in_tflm:
            raise lacks(made.verification.missing_in_tflm)
        options = options_of(settings, material)
        manifest = manifest_of(made, entry, options, record, material.preprocessing, now)
        model = made.path
    return make_package(model, manifest, expected.inputs, record, now)


def expectation(source: SourceModel, material: Material) -> Expectation:
    """Returns what each file is verified against, on examples that calibrate nothing."""
    inputs = preprocess(material.held_out.inputs, material.preprocessing, source.inputs)
    targets = material.held_out.targets
    return Expectation(
        input_specs=source.inputs,
        output_specs=source.outputs,
        weights=source.weight_count(),
        inputs=inputs,
        labels={
            spec.name: targets[spec.name]
            for spec in source.outputs
            if are_classes(spec.shape)
            and targets.get(spec.name, np.zeros(0)).dtype.kind in "iub"
            and spec.name in targets
        },
        outputs=source.predict(inputs),
    )


def manifest_of(
    made: Made,
    entry: Format,
    options: Mapping[str, Any],
    record: ModelRecord,
    preprocessing: Mapping[str, Preprocessing],
    now: datetime,
) -> Manifest:
    """Returns the manifest of a staged file; its path is where it will be."""
    return Manifest(
        path=record.folder / f"{entry.name}.json",
        format=entry.name,
        runtime=entry.runtime,
        file=made.path.name,
        sha256=file_sha256(made.path),
        size_bytes=made.path.stat().st_size,
        gzip_bytes=len(gzip.compress(made.path.read_bytes(), mtime=0)),
        source=Source(file=record.file, sha256=record.sha256, accuracy=record.test_accuracy),
        options=options,
        inputs=made.verification.inputs,
        outputs=made.verification.outputs,
        preprocessing=preprocessing,
        labels=record.labels,
        calibration=made.calibration,
        checks=made.verification.checks,
        observations=made.verification.observations,
        versions=versions(entry),
        created=now.isoformat(timespec="seconds"),
        operators=made.verification.operators,
        fine_tuning=made.fine_tuning,
    )
