"""A verified `tflite-int8` file → C source, arena, boards, all in `artifacts/tflm/`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from export.convert.job.inputs import ConversionInputs
from export.convert.job.up_to_date import CODE, versions
from export.deploy.microcontroller.arena import (
    ALIGNMENT_BYTES,
    IMAGES,
    check_interpreter,
    measure_arena,
)
from export.deploy.microcontroller.boards import BOARDS, CORE_RUNTIME_BYTES, Fit, fit, table
from export.deploy.microcontroller.c_source import c_source
from export.deploy.microcontroller.operators import add_methods
from export.formats.packages import PACKAGED, TFLM
from export.formats.settings import Settings
from export.formats.table import FORMATS
from export.manifest import SCHEMA_VERSION, Manifest
from export.runtimes.predict import encode, in_calls
from export.verify.graph.read import read_graph
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import (
    file_sha256,
    is_sealed,
    package_versions,
    read_json,
    sealed,
    write_json,
)
from train.common.files.staging import publish, staging
from train.common.preprocessing import RAW, InputPreprocessing
from train.common.record import ModelRecord

FOLDER = "tflm"  # of its own: the manifests beside the exports are the benchmark's rows
HEADER_FILE = "model_data.h"
SOURCE_FILE = "model_data.cc"
MANIFEST_FILE = "tflm.json"


def is_current(settings: Settings, inputs: ConversionInputs) -> bool:
    """Returns whether making the C source again would change nothing."""
    record, representative = inputs.record, inputs.representative
    folder = record.folder / FOLDER
    try:
        check_interpreter()
        content = read_json(
            folder / MANIFEST_FILE, schema_version=SCHEMA_VERSION, remedy="export it again"
        )
        return bool(
            is_sealed(content)
            and content["source"]["sha256"] == record.sha256
            and content["options"] == inputs.options(settings)
            and tuple(content["labels"]) == record.labels
            and content["preprocessing"] == _as_recorded(inputs.preprocessing)
            and representative is not None
            and content["calibration_sha256"] == representative.sha256
            and content["versions"] == _versions()
            and all(file_sha256(folder / f["file"]) == f["sha256"] for f in content["files"])
        )
    except (ToolkitError, OSError, LookupError, TypeError, AttributeError):
        return False


def _as_recorded(preprocessing: InputPreprocessing) -> Any:
    """Returns preprocessing as it is read again."""
    return json.loads(json.dumps({name: asdict(how) for name, how in preprocessing.items()}))


def make_package(
    model: Path,
    manifest: Manifest,
    held_out: Mapping[str, np.ndarray],
    record: ModelRecord,
    now: datetime,
) -> str:
    """Writes the C source of a verified model, and what is known of it, beside the exports.

    Args:
        model: the `tflite-int8` file, which may be staged.
        manifest: what was recorded of it when it was verified.
        held_out: (N, …) by the input's name, preprocessed: examples that calibrated nothing.
        record: the Keras model.
        now: the time to record.

    Returns:
        What was made, as text for the terminal.

    Raises:
        ArtifactError: the file is not the one of the manifest, TFLM lacks an operator, or no
            arena will do.
    """
    if file_sha256(model) != manifest.sha256:
        raise ArtifactError(f"{model} is not the file that {manifest.path.name} describes")
    artifacts = record.folder
    if len(manifest.inputs) != 1 or len(manifest.outputs) != 1:
        raise ArtifactError(
            f"tflm: got {len(manifest.inputs)} inputs and {len(manifest.outputs)} outputs, "
            "expected one of each; use --format c, which takes several"
        )
    (input_spec,), (output_spec,) = manifest.inputs, manifest.outputs
    methods = add_methods(read_graph(model).operators)
    held = held_out[input_spec.name]
    values = held[:: max(1, len(held) // IMAGES)][:IMAGES]
    calls = in_calls(encode(values, input_spec), input_spec.shape[0] or 1)
    with staging(artifacts) as staged:
        arena = measure_arena(model, calls, staged)
        text = c_source(
            model.read_bytes(),
            file=manifest.file,
            input_spec=input_spec,
            output_spec=output_spec,
            preprocessing=manifest.preprocessing.get(input_spec.name, RAW),
            labels=manifest.labels,
            arena=arena,
            methods=methods,
        )
        header, source = staged / HEADER_FILE, staged / SOURCE_FILE
        header.write_text(text.header, encoding="ascii")
        source.write_text(text.source, encoding="ascii")
        flash_bytes = manifest.size_bytes + CORE_RUNTIME_BYTES
        fits = [fit(board, flash_bytes=flash_bytes, ram_bytes=arena.size_bytes) for board in BOARDS]
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "format": TFLM,
            "files": [
                {"file": p.name, "sha256": file_sha256(p), "size_bytes": p.stat().st_size}
                for p in (header, source)
            ],
            "model": {
                "format": manifest.format,
                "sha256": manifest.sha256,
                "size_bytes": manifest.size_bytes,
            },
            "source": asdict(manifest.source),
            "options": manifest.options,
            "inputs": [asdict(input_spec)],
            "outputs": [asdict(output_spec)],
            "preprocessing": {name: asdict(how) for name, how in manifest.preprocessing.items()},
            "labels": manifest.labels,
            "calibration_sha256": manifest.calibration and manifest.calibration.sha256,
            "operators": methods,
            "arena": {**asdict(arena), "alignment_bytes": ALIGNMENT_BYTES},
            "flash": {
                "model_bytes": manifest.size_bytes,
                "core_runtime_bytes": CORE_RUNTIME_BYTES,
                "least_bytes": flash_bytes,
            },
            "ram": {"arena_bytes": arena.size_bytes},
            "boards": [_as_json(found) for found in fits],
            "checks": [asdict(check) for check in manifest.checks],
            "observations": [asdict(seen) for seen in manifest.observations],
            "versions": _versions(),
            "created": now.isoformat(timespec="seconds"),
        }
        write_json(staged / MANIFEST_FILE, sealed(content))
        (artifacts / FOLDER).mkdir(exist_ok=True)
        publish([header, source, staged / MANIFEST_FILE], artifacts / FOLDER)
    return summary(manifest.size_bytes, arena.size_bytes, methods, fits)


def summary(model_bytes: int, arena_bytes: int, methods: Mapping[str, str], fits: list[Fit]) -> str:
    """Returns the lines that tell a user what was made."""
    flash_bytes = model_bytes + CORE_RUNTIME_BYTES
    return "\n".join(
        (
            f"{TFLM:<28} {model_bytes / 1000:>8,.1f} kB  in {FOLDER}/{SOURCE_FILE}",
            f"  flash  {flash_bytes:>9,} bytes + kernels + your code "
            f"({model_bytes:,} model, {CORE_RUNTIME_BYTES:,} TFLM core)",
            f"  RAM    {arena_bytes:>9,} bytes + stack + your data (tensor arena)",
            f"  calls  {', '.join(methods.values())}",
            table(fits),
        )
    )


def _versions() -> dict[str, str]:
    found = versions(FORMATS[PACKAGED], (*CODE, "export/deploy/microcontroller"))
    return {**found, **package_versions("tflite-micro")}


def _as_json(found: Fit) -> dict[str, Any]:
    return {
        **asdict(found.board),
        "fits": found.fits,
        "reasons": found.reasons,
        "flash_left_bytes": found.flash_left_bytes,
        "ram_left_bytes": found.ram_left_bytes,
    }
