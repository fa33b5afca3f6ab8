"""Source model → convert → verify → write, a format at a time. Heavy."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from export import calibration
from export.current import current_manifest, versions
from export.formats import FORMATS, TFLM, TFLM_MODEL, Format
from export.make import Made, can_be_made, make
from export.manifest import Manifest, Source, TensorSpec
from export.microcontroller.arena import check_interpreter
from export.microcontroller.operators import lacks, missed_operator
from export.microcontroller.package import make_package
from export.refusal import with_advice
from export.settings import Settings
from export.source import SourceModel
from export.verify import Expectation
from train import data as dataset
from train.artifact import file_sha256, publish, staging, write_json
from train.errors import ArtifactError, ToolkitError
from train.model import INPUT_NAME, OUTPUT_NAME
from train.progress import Progress
from train.record import ModelRecord, read_model_record


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """One run of `python -m export`.

    Attributes:
        artifacts: folder with the model; the exports are written there.
        data: folder of the data set; None to look for it.
        formats: what to make.
        settings: the options of each format, by name; of `tflite-int8` too if `tflm`.
        tflm: whether to make the C source for microcontrollers as well.
    """

    artifacts: Path
    data: Path | None
    formats: Sequence[Format]
    settings: Mapping[str, Settings]
    tflm: bool = False


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
        DataError: the data set cannot be had, or has too few images to calibrate.
    """
    record = read_model_record(config.artifacts)
    training = dataset.load_train(config.data)
    samples = next(
        (s.calibration_samples for s in config.settings.values() if s.calibration_samples), None
    )
    parts = dataset.split(training.labels, calibration_samples=samples)
    failures: dict[str, ToolkitError] = {}
    with staging(config.artifacts) as staged:
        report.step("loading the model")
        work = staged / "work"
        work.mkdir()
        source = SourceModel(
            record.path,
            representative=calibration.representative_dataset(
                training, parts, record.preprocessing
            ),
            training=training.take(parts.train),
            preprocessing=record.preprocessing,
            folder=work,
        )
        expected = expectation(source, training.take(parts.validation), record)

        @cache
        def trial(name: str) -> bool:
            return can_be_made(FORMATS[name], source, expected, work)

        for entry in config.formats:
            report.step(f"{entry.name}: converting")
            try:
                made = make(entry, config.settings[entry.name], source, expected, staged)
            except ToolkitError as error:
                report.step(f"{entry.name}: failed, looking for a format that can be made")
                failures[entry.name] = with_advice(error, entry, trial)
                report.milestone(f"{entry.name:<28} FAILED")
                continue
            manifest = manifest_of(made, entry, config.settings[entry.name], record, now())
            write_json(staged / manifest.path.name, manifest.as_json())
            publish([made.path, staged / manifest.path.name], config.artifacts)
            report.milestone(summary(manifest))
        if config.tflm:
            report.step(f"{TFLM}: converting, looking for the smallest tensor arena")
            try:
                report.milestone(
                    make_tflm(config.settings[TFLM_MODEL], source, expected, record, work, now())
                )
            except ToolkitError as error:
                failures[TFLM] = error
                report.milestone(f"{TFLM:<28} FAILED")
    return failures


def make_tflm(
    settings: Settings,
    source: SourceModel,
    expected: Expectation,
    record: ModelRecord,
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
    entry = FORMATS[TFLM_MODEL]
    manifest = current_manifest(entry, settings, record)
    if manifest is not None:
        model = manifest.artifact_path
    else:
        try:
            made = make(entry, settings, source, expected, folder)
        except ArtifactError as error:  # the file is verified on TFLM too
            missed = missed_operator(str(error))
            if missed:
                raise lacks(missed) from error
            raise
        model, manifest = made.path, manifest_of(made, entry, settings, record, now)
    return make_package(model, manifest, expected.inputs, record, now)


def expectation(
    source: SourceModel, held_out: dataset.LabelledImages, record: ModelRecord
) -> Expectation:
    """Returns what each file is verified against, on training images that no fit has seen."""
    inputs = record.preprocessing.apply(held_out.images)
    return Expectation(
        input=TensorSpec(name=INPUT_NAME, shape=(None, *inputs.shape[1:]), dtype="float32"),
        output=TensorSpec(
            name=OUTPUT_NAME, shape=(None, *source.model.output_shape[1:]), dtype="float32"
        ),
        weights=source.weight_count(),
        inputs=inputs,
        labels=held_out.labels,
        outputs=source.outputs(inputs),
    )


def manifest_of(
    made: Made, entry: Format, settings: Settings, record: ModelRecord, now: datetime
) -> Manifest:
    """Returns the manifest of a staged file; its path is where it will be."""
    return Manifest(
        path=record.path.with_name(f"{entry.name}.json"),
        format=entry.name,
        runtime=entry.runtime,
        file=made.path.name,
        sha256=file_sha256(made.path),
        size_bytes=made.path.stat().st_size,
        gzip_bytes=len(gzip.compress(made.path.read_bytes(), mtime=0)),
        source=Source(file=record.path.name, sha256=record.sha256, accuracy=record.test_accuracy),
        options=settings.record(),
        inputs=(made.verification.input,),
        outputs=(made.verification.output,),
        preprocessing=record.preprocessing,
        labels=record.labels,
        calibration=made.calibration,
        checks=made.verification.checks,
        versions=versions(entry),
        created=now.isoformat(timespec="seconds"),
        operators=made.verification.operators,
    )


def summary(manifest: Manifest) -> str:
    """Returns the line that tells a user what was written and how it compares."""
    values = {check.name: check.value for check in manifest.checks}
    line = (
        f"{manifest.format:<28} {manifest.size_bytes / 1000:>8,.1f} kB  "
        f"agrees with Keras on {values['agreement']:.2%} of held-out images, "
        f"accuracy drop {values['accuracy_drop'] * 100:+.2f} points"
    )
    if "sparsity" in values:
        line += f", {values['sparsity']:.0%} of the weights zero"
    found = manifest.calibration
    if found is not None and len(found.candidates) > 1:
        line += f", calibrated by {found.method}"
    if found is not None and found.halves_difference > calibration.MAX_HALVES_DIFFERENCE:
        line += (
            f"; warning: ranges of two halves of the {found.count} calibration images differ by "
            f"{found.halves_difference:.0%}, give more with --calibration-samples"
        )
    return line
