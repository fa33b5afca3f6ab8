"""What was compiled for NPUs: nothing here can run it, so its estimates are told, not measured."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.deploy.ethos_u.manifest import FOLDER, NpuManifest, read_npu_manifest
from export.formats.packages import ETHOS_U
from export.formats.table import FORMATS, Format
from train.common.errors import ArtifactError
from train.common.reference_outputs import ReferenceOutputs


def npu_estimates(
    artifacts: Path, formats: Collection[Format] | None, reference: ReferenceOutputs
) -> Iterator[dict[str, Any]]:
    """Yields a JSON object for each file in a folder that was compiled for an NPU.

    Args:
        artifacts: the folder.
        formats: those that files may be compiled from; None for all.
        reference: the Keras model's outputs; files of another model have a problem.
    """
    wanted = None if formats is None else {entry.name for entry in formats}
    paths = sorted((artifacts / FOLDER).glob("*.json"), key=lambda path: (_place(path), path))
    for path in paths:
        try:
            found = _read(path, reference)
        except ArtifactError as error:
            yield {"name": path.stem, "problem": str(error)}
            continue
        if wanted is None or found.model.format in wanted:
            yield {
                "name": path.stem,
                "format": found.model.format,
                "npu": found.npu,
                **asdict(found.estimate),
                "on_cpu": [asdict(left) for left in found.on_cpu],
            }


def _place(path: Path) -> int:
    """Returns where the format that a file was compiled from stands in the table of formats."""
    fitting = (name for name in FORMATS if path.stem.startswith(f"{name}-{ETHOS_U}"))
    return list(FORMATS).index(next(fitting, list(FORMATS)[-1]))


def _read(path: Path, reference: ReferenceOutputs) -> NpuManifest:
    found, expected = read_npu_manifest(path), reference.model_sha256
    if found.source.sha256 != expected:
        raise ArtifactError(
            f"{path} is of another model: got {found.source.sha256[:12]}…, expected "
            f"{expected[:12]}…; run `python -m export --format {ETHOS_U}` again"
        )
    return found
