"""Source model → convert → verify → write, a format at a time. Heavy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from export.calibration import representative_dataset
from export.converters import onnx, tflite
from export.formats import Family, Format
from export.manifest import Manifest, Source, TensorSpec
from export.source import SourceModel
from export.verify import Expectation, Verification, verify
from train import data as dataset
from train.artifact import file_sha256, package_versions, publish, staging, write_json
from train.errors import CheckError, ToolkitError
from train.model import INPUT_NAME, OUTPUT_NAME
from train.native_output import captured_native_output
from train.progress import Progress
from train.record import ModelRecord, read_model_record

CONVERTERS: dict[Family, ModuleType] = {"tflite": tflite, "onnx": onnx}
VERSIONED_PACKAGES: dict[Family, tuple[str, ...]] = {
    "tflite": ("tensorflow", "keras", "ai-edge-litert", "numpy"),
    "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy"),
}
# What converters raise for a model or an option that they cannot convert.
CONVERSION_ERRORS = (ConverterError, tf.errors.OpError, ValueError, TypeError, RuntimeError)


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """One run of `python -m export`: folders as in `train`, and the formats to make."""

    artifacts: Path
    data: Path | None
    formats: Sequence[Format]


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
        DataError: the data set cannot be had.
    """
    record = read_model_record(config.artifacts)
    training = dataset.load_train(config.data)
    parts = dataset.split(training.labels)
    failures: dict[str, ToolkitError] = {}
    with staging(config.artifacts) as staged:
        report.step("loading the model")
        work = staged / "work"
        work.mkdir()
        representative = representative_dataset(training, parts, record.preprocessing)
        source = SourceModel(record.path, representative, work)
        expected = expectation(source, training.take(parts.validation), record)
        for entry in config.formats:
            report.step(f"{entry.name}: converting")
            try:
                path, verification = make(entry, source, expected, staged)
            except ToolkitError as error:
                failures[entry.name] = error
                report.milestone(f"{entry.name:<16} FAILED")
                continue
            manifest = Manifest(
                path=staged / f"{entry.name}.json",
                format=entry.name,
                runtime=entry.runtime,
                file=path.name,
                sha256=file_sha256(path),
                size_bytes=path.stat().st_size,
                source=Source(
                    file=record.path.name, sha256=record.sha256, accuracy=record.test_accuracy
                ),
                inputs=(verification.input,),
                outputs=(verification.output,),
                preprocessing=record.preprocessing,
                labels=record.labels,
                calibration=representative.record if entry.calibrated else None,
                checks=verification.checks,
                versions=package_versions(*VERSIONED_PACKAGES[entry.family]),
                created=now().isoformat(timespec="seconds"),
            )
            write_json(manifest.path, manifest.as_json())
            publish([path, manifest.path], config.artifacts)
            report.milestone(summary(manifest))
    return failures


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


def make(
    entry: Format, source: SourceModel, expected: Expectation, staged: Path
) -> tuple[Path, Verification]:
    """Converts one format to a staged file and verifies it; returns both.

    Raises:
        ToolkitError: the converter cannot convert this model.
        CheckError: the file does not do what the model does; the check is named.
    """
    try:
        with captured_native_output():
            content = CONVERTERS[entry.family].convert(entry, source)
    except CONVERSION_ERRORS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ToolkitError(f"{entry.name}: the converter refused the model: {reason}") from error
    path = staged / f"{entry.name}{entry.suffix}"
    path.write_bytes(content)
    verification = verify(entry, path, expected)
    if verification.failed:
        reasons = "; ".join(
            f"check {check.name}: got {check.value}, expected {check.limit}"
            for check in verification.failed
        )
        raise CheckError(f"{entry.name} was not written: {reasons}")
    return path, verification


def summary(manifest: Manifest) -> str:
    """Returns the line that tells a user what was written and how it compares."""
    values = {check.name: check.value for check in manifest.checks}
    return (
        f"{manifest.format:<16} {manifest.size_bytes / 1000:>8,.1f} kB  "
        f"agrees with Keras on {values['agreement']:.2%} of held-out images, "
        f"accuracy drop {values['accuracy_drop'] * 100:+.2f} points"
    )
