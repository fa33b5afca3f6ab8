"""The manifest beside each exported file: what it is, where it came from, how it was proven."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train.common.artifact import file_sha256, is_sealed, read_json, sealed
from train.common.errors import ArtifactError
from train.common.preprocessing import Preprocessing, preprocessing_from_json
from train.common.tensors import TensorSpec, spec_from_json

SCHEMA_VERSION = 1
TEXTS = ("format", "runtime", "file", "sha256", "created")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was verified; `limit` says what `value` had to be."""

    name: str
    value: float | str
    limit: float | str
    passed: bool

    @classmethod
    def at_least(cls, name: str, value: float, limit: float) -> "Check":
        """Returns the check of a value that must not be smaller than a limit."""
        return cls(name=name, value=value, limit=f">= {limit:g}", passed=value >= limit)

    @classmethod
    def at_most(cls, name: str, value: float, limit: float) -> "Check":
        """Returns the check of a value that must not be larger than a limit."""
        return cls(name=name, value=value, limit=f"<= {limit:g}", passed=value <= limit)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Something that was seen while verifying and that no file can fail by."""

    name: str
    value: float | str


@dataclass(frozen=True, kw_only=True)
class Source:
    """The Keras model that a file was made from, and its test accuracy in 0…1, if known."""

    file: str
    sha256: str
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The representative dataset and the audit of the ranges that came from it.

    Attributes:
        count: how many examples.
        sha256: the hash of their indices.
        examples: a short hash of each raw one, by which test data that overlaps is found.
        method: how ranges came from them.
        candidates: accuracy, 0…1, on held-out examples of each method that was tried; without
            labels the signal-to-noise ratio of the outputs' variation, in decibels.
        clipped_share: share of values that the ranges clip on held-out examples, 0…1; None
            for fine-tuned formats, of which no float32 twin is made to compare with.
        halves_difference: how far the ranges of two disjoint halves differ, 0…1.
    """

    count: int
    sha256: str
    examples: tuple[str, ...]
    method: str
    candidates: Mapping[str, float]
    clipped_share: float | None
    halves_difference: float


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Whether fine-tuning gained anything over post-training quantization.

    Attributes:
        before, after: accuracy, 0…1, on held-out examples without and with it; without labels
            the signal-to-noise ratio of the outputs' variation, in decibels.
        standard_error: of the difference, over the examples; None without labels.
        kept: whether the file is the fine-tuned one.
    """

    before: float
    after: float
    standard_error: float | None
    kept: bool

    @property
    def text(self) -> str:
        """The gain in words."""
        gain = self.after - self.before
        if self.standard_error is None:
            return f"{gain:+.1f} dB"
        return f"{100 * gain:+.2f} points, standard error {100 * self.standard_error:.2f}"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that is recorded of one exported file; `path` is where the manifest itself is.

    `operators` counts the operators in the file by name; None in manifests of earlier versions.
    `fine_tuning` is of formats that need not be fine-tuned; None of others. Earlier versions had
    among the `checks` what `observations` are now.
    """

    path: Path
    format: str
    runtime: str
    file: str
    sha256: str
    size_bytes: int
    gzip_bytes: int
    source: Source
    options: Mapping[str, Any]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Mapping[str, Preprocessing]
    labels: tuple[str, ...]
    calibration: Calibration | None
    checks: tuple[Check, ...]
    versions: Mapping[str, str]
    created: str
    observations: tuple[Observation, ...] = ()
    operators: Mapping[str, int] | None = None
    fine_tuning: FineTuning | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the manifest's content as a JSON object, sealed by a hash of itself."""
        fields = asdict(self)
        del fields["path"]
        return sealed({"schema_version": SCHEMA_VERSION, **fields})

    def recorded(self, name: str) -> float | None:
        """Returns the number that a check or observation of a name had; None if it had none."""
        found: list[Check | Observation] = [*self.checks, *self.observations]
        numbers = [f.value for f in found if f.name == name and not isinstance(f.value, str)]
        return float(numbers[0]) if numbers else None

    @property
    def artifact_path(self) -> Path:
        """Where the exported file is."""
        return self.path.with_name(self.file)


def read_manifest(path: Path) -> Manifest:
    """Returns the manifest in a file.

    Raises:
        ArtifactError: it is unreadable, of another version, edited since it was written, or
            lacks or garbles a field.
    """
    remedy = f"run `python -m export --format {path.stem}` again"
    content = read_json(path, schema_version=SCHEMA_VERSION, remedy=remedy)
    if not is_sealed(content):
        raise ArtifactError(
            f"{path} was edited since it was written, or is of an older version: its seal does "
            f"not match its content; {remedy}"
        )
    garbled = [name for name in TEXTS if not isinstance(content.get(name), str)]
    if garbled:
        raise ArtifactError(f"{path} lacks or garbles {', '.join(garbled)}; {remedy}")
    try:
        calibration, operators = content["calibration"], content.get("operators")
        manifest = Manifest(
            path=path,
            format=content["format"],
            runtime=content["runtime"],
            file=content["file"],
            sha256=content["sha256"],
            size_bytes=int(content["size_bytes"]),
            gzip_bytes=int(content["gzip_bytes"]),
            source=Source(**content["source"]),
            options=dict(content["options"]),
            inputs=tuple(spec_from_json(fields) for fields in content["inputs"]),
            outputs=tuple(spec_from_json(fields) for fields in content["outputs"]),
            preprocessing=preprocessing_from_json(content["preprocessing"]),
            labels=tuple(content["labels"]),
            calibration=Calibration(**calibration | {"examples": tuple(calibration["examples"])})
            if calibration
            else None,
            checks=tuple(Check(**fields) for fields in content["checks"]),
            observations=tuple(Observation(**o) for o in content.get("observations", ())),
            versions=dict(content["versions"]),
            created=content["created"],
            operators=operators
            if operators is None
            else {name: int(count) for name, count in operators.items()},
            fine_tuning=FineTuning(**tuned) if (tuned := content.get("fine_tuning")) else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} lacks or garbles {error}; {remedy}") from error
    if Path(manifest.file).name != manifest.file or manifest.format != path.stem:
        raise ArtifactError(
            f"{path} is for format {manifest.format!r} and file {manifest.file!r}, expected "
            f"format {path.stem!r} and a file beside it; {remedy}"
        )
    return manifest


def check_file(manifest: Manifest) -> None:
    """Checks that the exported file is there and is the one that the manifest describes.

    Raises:
        ArtifactError: it is missing, truncated or another file.
    """
    path = manifest.artifact_path
    remedy = f"run `python -m export --format {manifest.format}` again"
    if not path.is_file():
        raise ArtifactError(f"{path} is not there; {remedy}")
    size = path.stat().st_size
    if size != manifest.size_bytes:
        raise ArtifactError(
            f"{path}: got {size} bytes, expected {manifest.size_bytes} by its manifest; {remedy}"
        )
    found = file_sha256(path)
    if found != manifest.sha256:
        raise ArtifactError(
            f"{path}: got SHA-256 {found[:12]}…, expected {manifest.sha256[:12]}… by its "
            f"manifest; {remedy}"
        )
