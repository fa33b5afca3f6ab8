"""The manifest beside a compiled file: of what it was made, and what Vela estimates of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.deploy.ethos_u.vela import Estimate, Left
from export.formats.packages import ETHOS_U
from export.manifest import SCHEMA_VERSION, Check, Source
from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256, is_sealed, read_json, sealed
from train.common.files.decode import Decoder

FOLDER = ETHOS_U  # of its own: the manifests beside the exports are the benchmark's rows
NOTE = "estimated by the compiler, not run"


@dataclass(frozen=True, kw_only=True)
class Made:
    """The file that was compiled."""

    format: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class NpuManifest:
    """All that is recorded of a compiled file.

    Attributes:
        path: where the manifest is.
        format: `ethos-u`.
        npu: the configuration that it is for.
        file, sha256, size_bytes: the compiled file.
        model: the one that was compiled.
        source: the Keras model.
        note: that the estimate is one.
        estimate: Vela's.
        on_cpu: what stays on the CPU, and why.
        checks: of the file that was compiled, and of the compiled one.
        versions: of what made it.
        created: when.
    """

    path: Path
    format: str
    npu: str
    file: str
    sha256: str
    size_bytes: int
    model: Made
    source: Source
    note: str = NOTE
    estimate: Estimate
    on_cpu: tuple[Left, ...]
    checks: tuple[Check, ...]
    versions: Mapping[str, str]
    created: str

    def as_json(self) -> dict[str, Any]:
        """Returns the manifest's content as a JSON object, sealed by a hash of itself."""
        fields = asdict(self)
        del fields["path"]
        return sealed({"schema_version": SCHEMA_VERSION, **fields})


def stem(made_of: str, npu: str) -> str:
    """Returns the name of a compiled file and of its manifest, without their suffixes."""
    return f"{made_of}-{npu}"


def read_npu_manifest(path: Path) -> NpuManifest:
    """Returns the manifest in a file, whose compiled file is the one beside it.

    Raises:
        ArtifactError: it is unreadable, was edited, garbles a field, or the file is another.
    """
    remedy = f"run `python -m export --format {ETHOS_U}` again"
    content = read_json(path, schema_version=SCHEMA_VERSION, remedy=remedy)
    if not is_sealed(content):
        raise ArtifactError(f"{path} was edited since it was written; {remedy}")
    found = Decoder(remedy=remedy).decode(NpuManifest, {**content, "path": str(path)}, str(path))
    file = path.with_name(found.file)
    if Path(found.file).name != found.file or found.format != ETHOS_U:
        raise ArtifactError(
            f"{path} is of format {found.format!r} and file {found.file!r}; {remedy}"
        )
    try:
        same = file_sha256(file) == found.sha256
    except OSError as error:
        raise ArtifactError(f"{file}: {error.strerror}; {remedy}") from error
    if not same:
        raise ArtifactError(f"{file} is not the file that {path.name} describes; {remedy}")
    return found
