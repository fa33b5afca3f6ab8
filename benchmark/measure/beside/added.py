"""Rows of files that this toolkit did not make: a vendor's, last year's, what is shipped today."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant, modes_of
from export.deploy.foreign.interface import ForeignFile, read_foreign
from export.deploy.foreign.match import kind_of, match
from export.manifest import Manifest, Source
from train.common.command.terminal import printable
from train.common.errors import ArtifactError, ToolkitError
from train.common.preprocessing import Preprocessing, check_names
from train.common.reference_outputs import ReferenceOutputs

MAX_NAME_BYTES = 150  # of files that are named by it


def added_variants(
    files: Sequence[Path],
    preprocess: Mapping[str, Preprocessing],
    settings: MeasureSettings,
    reference: ReferenceOutputs,
) -> list[Variant]:
    """Returns the rows of files, each checked and loaded once in a process of its own.

    Args:
        files: `.tflite` or `.onnx`.
        preprocess: what raw values become for them, by the model's input, under the empty name for
            each that is not named; empty for what is recorded of the model.
        settings: which variants of each.
        reference: the Keras model's outputs on the test data.

    Raises:
        ToolkitError: two have one name, or preprocessing is of an input that does not exist.
        ArtifactError: one is no model, or needs what its runtime lacks, or its inputs or outputs
            are not the model's.
    """
    names = [path.name for path in files]
    for path in files:
        if names.count(path.name) > 1:
            raise ToolkitError(
                f"got {path.name} twice with --add, expected files of different names, as rows are "
                "named by them; copy one under another name"
            )
        if len(path.name.encode(errors="replace")) > MAX_NAME_BYTES or not path.name.isprintable():
            raise ToolkitError(
                f"got --add {printable(path.name)[:60]}…, expected a name of at most "
                f"{MAX_NAME_BYTES} bytes that can be printed; copy it under another name"
            )
    how = _preprocessing(preprocess, reference)
    found = [_manifest(read_foreign(path), how, bool(preprocess), reference) for path in files]
    return [variant for manifest in found for variant in _rows(manifest, settings)]


def _preprocessing(
    preprocess: Mapping[str, Preprocessing], reference: ReferenceOutputs
) -> Mapping[str, Preprocessing]:
    if not preprocess:
        return reference.preprocessing
    names = [spec.name for spec in reference.inputs]
    check_names(preprocess, names)
    recorded = reference.preprocessing
    chosen = {name: preprocess.get(name, preprocess.get("", recorded.get(name))) for name in names}
    return {name: how for name, how in chosen.items() if how is not None}


def _manifest(
    file: ForeignFile,
    preprocessing: Mapping[str, Preprocessing],
    told: bool,
    reference: ReferenceOutputs,
) -> Manifest:
    """Returns what would be recorded of the file, had this toolkit made it of the model."""
    inputs = match(file.path, "input", file.inputs, reference.inputs)
    outputs = match(file.path, "output", file.outputs, reference.output_specs)
    kinds = {spec.name: kind_of(spec) for spec in (*reference.inputs, *reference.output_specs)}
    for spec in (*([] if told else inputs), *outputs):
        if kind_of(spec) != kinds[spec.name]:
            raise ArtifactError(
                f"{file.path}: got {spec} without a scale, expected what says which real value an "
                "integer is; give a file with one, or of an input say with --preprocess what raw "
                "values become"
            )
    return Manifest(
        path=file.path.with_name(f"{file.path.name}.json"),
        format=file.path.name,
        runtime=file.runtime,
        file=file.path.name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        gzip_bytes=file.gzip_bytes,
        source=Source(file="", sha256=reference.model_sha256, accuracy=None),
        options={},
        inputs=inputs,
        outputs=outputs,
        preprocessing=preprocessing,
        labels=reference.labels,
        calibration=None,
        checks=(),
        versions={},
        created="",
    )


def _rows(manifest: Manifest, settings: MeasureSettings) -> Iterator[Variant]:
    for threads in settings.threads:
        for mode in modes_of(manifest.runtime, settings):
            yield Variant(
                format=manifest.format,
                runtime=manifest.runtime,
                mode=mode,
                threads=threads,
                manifest=manifest,
                path=manifest.artifact_path,
                added=json.dumps({n: asdict(how) for n, how in manifest.preprocessing.items()}),
            )
