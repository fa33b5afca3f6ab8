"""The manifest beside each exported file: what it is, where it came from, how it was proven."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from export.layer_report import LayerReport, Mixture
from train.common.errors import ArtifactError
from train.common.files.artifact import is_sealed, read_json, sealed
from train.common.files.decode import Between, Decoder
from train.common.files.open import open_regular
from train.common.preprocessing import Preprocessing
from train.common.tensors import TensorSpec

SCHEMA_VERSION = 1
EVERY_PROCESSOR = "every processor"  # that a file holds for

# What checks are called where people read of them.
WORDS = {
    "snr_db": "SNR in dB",
    "variation_db": "centred SNR in dB",
    "cosine": "cosine similarity",
    "max_abs_error": "largest error",
    "agreement": "agreement with Keras",
    "size_bytes": "size in bytes",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was verified; `limit` says what `value` had to be."""

    name: str
    value: float | str
    limit: float | str
    passed: bool

    @property
    def reason(self) -> str:
        """What was found and what was expected, in words."""
        name, _, tensor = self.name.partition(":")
        what = WORDS.get(name, name.replace("_", " "))
        got = self.value
        if isinstance(got, float):
            got = f"{got:.6g}" if 0.99 < got < 1 else f"{got:.4g}"
        return f"check {what}{f' of {tensor}' * bool(tensor)}: got {got}, expected {self.limit}"

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
    accuracy: Annotated[float, Between(0, 1)] | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The representative dataset and the audit of the ranges that came from it.

    Attributes:
        count: how many examples.
        sha256: the hash of their indices.
        examples: a short hash of each raw one, by which test data that overlaps is found.
        method: how ranges came from them.
        candidates: accuracy, 0…1, on held-out examples of each method that was tried; without
            labels, and for ONNX, the signal-to-noise ratio of the outputs' variation, in decibels.
        clipped_share: share of values that the ranges clip on held-out examples, 0…1; None
            for fine-tuned formats, of which no float32 twin is made to compare with.
        halves_difference: how far the ranges of two disjoint halves differ, 0…1.
        folds: of few examples: outputs were checked, and methods chosen, on each part by files
            that the others calibrated; all calibrated this one. 0 where a part was held out.
    """

    count: int
    sha256: str
    examples: tuple[str, ...]
    method: str
    candidates: Mapping[str, float]
    clipped_share: float | None
    halves_difference: float
    folds: int = 0


@dataclass(frozen=True, kw_only=True)
class WeightScheme:
    """How an ONNX file stores weights of 8 bits, chosen by how its runtime runs them.

    Attributes:
        scheme: as `settings.WEIGHT_SCHEMES` names it.
        candidates: centred SNR in decibels on held-out examples of each that was tried.
        target_cpu: the option that says what processor the file is for.
        processor: the one that ran them.
        sums_overflow: whether sums of products with signed weights of 8 bits overflow on that one;
            for another processor, what was run has the same weights unsigned.
        holds_for: on which processors the file gives what it was verified to give.
    """

    scheme: str
    candidates: Mapping[str, float]
    target_cpu: str
    processor: str
    sums_overflow: bool
    holds_for: str


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Whether fine-tuning gained anything over post-training quantization.

    Attributes:
        before, after: accuracy, 0…1, on held-out examples without and with it; without labels
            the signal-to-noise ratio of the outputs' variation, in decibels.
        standard_error: of the difference, over the examples; None without labels.
        kept: whether the file is the fine-tuned one.
        simulation_agreement: on what share of held-out examples, 0…1, the fine-tuned file does what
            it was trained as; None in manifests of earlier versions.
    """

    before: float
    after: float
    standard_error: float | None
    kept: bool
    simulation_agreement: Annotated[float, Between(0, 1)] | None = None

    @property
    def text(self) -> str:
        """The gain in words."""
        gain = self.after - self.before
        if self.standard_error is None:
            return f"{gain:+.1f} dB"
        return f"{100 * gain:+.2f} points, standard error {100 * self.standard_error:.2f}"


@dataclass(frozen=True, kw_only=True)
class FileParts:
    """What the bytes of a `.tflite` file are; together they are all of them.

    Attributes:
        weights: the numbers that operators read.
        scales: parameters of quantization.
        graph: operators, their options, tensors, shapes and types.
        rest: names, description, metadata, signatures, and zeros up to where something may begin.
    """

    weights: int
    scales: int
    graph: int
    rest: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.weights + self.scales + self.graph + self.rest

    @property
    def text(self) -> str:
        """The bytes in words."""
        return (
            f"{self.total:,} bytes: {self.weights:,} of weights, {self.scales:,} of scales, "
            f"{self.graph:,} of the graph, {self.rest:,} of the rest"
        )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that is recorded of one exported file; `path` is where the manifest itself is.

    `operators` counts the operators in the file by name; None in manifests of earlier versions.
    `fine_tuning` is of formats that need not be fine-tuned, `weight_scheme` of ONNX formats with
    weights of 8 bits, `layers` of integer formats that are not fine-tuned, `mixture` of mixed ones,
    `parts` of `.tflite` files; None of others. Earlier versions had among the `checks` what
    `observations` are now.
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
    weight_scheme: WeightScheme | None = None
    layers: LayerReport | None = None
    mixture: Mixture | None = None
    parts: FileParts | None = None

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
    decoder = Decoder(remedy=remedy)
    manifest = decoder.decode(Manifest, {**content, "path": str(path)}, str(path))
    beside = manifest.file and Path(manifest.file).name == manifest.file
    if not beside or manifest.format != path.stem:
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
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is not there; {remedy}") from error
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}; {remedy}") from error
    if size != manifest.size_bytes:
        raise ArtifactError(
            f"{path}: got {size} bytes, expected {manifest.size_bytes} by its manifest; {remedy}"
        )
    if found != manifest.sha256:
        raise ArtifactError(
            f"{path}: got SHA-256 {found[:12]}…, expected {manifest.sha256[:12]}… by its "
            f"manifest; {remedy}"
        )
