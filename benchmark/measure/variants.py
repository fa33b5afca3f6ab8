"""What is measured: the exports of a folder, checked before any of them is run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.measure.settings import MeasureSettings
from benchmark.measure.worker.process import Job
from export.deploy.c.again import built_apart
from export.deploy.c.package import FLASH
from export.deploy.wasm.package import set_out
from export.formats.packages import PROGRAMS, WASM, C
from export.formats.table import FORMATS, Format
from export.manifest import Manifest, check_file, read_manifest
from export.model.recorded import read_request, size_bytes
from export.model.request import file_sha256_of
from export.runtimes.open import MODES
from export.verify.promise import check_kept
from train.common.candidates import SEARCH_FILE
from train.common.errors import ArtifactError, ToolkitError
from train.common.record import RECORD_FILE
from train.common.reference_outputs import ReferenceOutputs
from train.common.samples import Samples
from train.common.tensors import fits, shape_text

RESULTS_FILE = "benchmark.json"
NOT_MANIFESTS = (RECORD_FILE, RESULTS_FILE, SEARCH_FILE)
KERAS = "keras"
ACCELERATORS = ("wasm", "webgpu")  # of a browser, its default first


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What one row of the table measures: a format on its runtime, with some threads, in some mode.

    Attributes:
        format: the format's name, or `keras`.
        runtime: the runtime; None where the manifest could not be read.
        mode: LiteRT's kernels or ONNX Runtime's optimization, in a browser its accelerator; None
            for Keras.
        threads: how many threads the runtime may use.
        manifest: what is recorded of the file; None for Keras and for a broken manifest.
        path: the file; of the Keras model, the request to load it.
        keras_bytes: size of the Keras model; None of others, and where it is not known.
        browser: the browser that runs it; None for this machine itself.
        added: of a file that this toolkit did not make, how it is preprocessed; None of others.
        problem: why it cannot be measured; None if it can.
    """

    format: str
    runtime: str | None
    mode: str | None
    threads: int
    manifest: Manifest | None
    path: Path
    keras_bytes: int | None = None
    browser: str | None = None
    added: str | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """The format, and how it is run where that is not the default."""
        parts = [self.format]
        known = MODES.get(self.runtime or "", ()) if self.browser is None else ACCELERATORS
        if self.mode not in (None, *known[:1]):
            parts.append(str(self.mode))
        if self.threads != 1:
            parts.append(f"{self.threads} threads")
        if self.browser is not None:
            parts.append(self.browser)
        return " ".join(parts)

    @property
    def size_bytes(self) -> int | None:
        """The size of the file, of C the constants; None if it is not known."""
        if self.manifest is None:
            return self.keras_bytes
        constants = self.manifest.recorded(FLASH) if self.runtime == C else None
        return self.manifest.size_bytes if constants is None else int(constants)

    @property
    def key(self) -> str:
        """A name for the row that no other has, fit for a file."""
        where = (self.browser or "").replace(" ", "-")
        return "+".join(filter(None, (self.format, self.mode, f"{self.threads}t", where)))

    def check_unchanged(self, reference: ReferenceOutputs) -> None:
        """Checks before a launch that the file is still the one that is being measured.

        Raises:
            ArtifactError: it is gone, or another.
        """
        changed = f"{self.path} changed while it was measured"
        if self.manifest is None:
            if file_sha256_of(read_request(self.path)) != reference.model_sha256:
                raise ArtifactError(f"{changed}: it is of another model now; measure again")
            return
        try:
            check_file(self.manifest)
        except ArtifactError as error:
            raise ArtifactError(f"{changed}: {error}") from error

    def job(self, raw: Mapping[str, Path], reference: ReferenceOutputs) -> Job:
        """Returns what a worker needs to measure it; the variant has no problem."""
        found = self.manifest
        return Job(
            name=self.format,
            runtime=self.runtime or "",
            mode=self.mode,
            threads=self.threads,
            file=self.path.resolve(),
            inputs=found.inputs if found else None,
            outputs=found.outputs if found else None,
            renamed=self.added is not None,
            preprocessing=found.preprocessing if found else reference.preprocessing,
            raw=raw,
        )


def find_manifests(
    artifacts: Path, formats: tuple[Format, ...] | None, *, may_be_none: bool = False
) -> list[Path]:
    """Returns the manifests in a folder, in the order of the format table, unknown ones last.

    Args:
        artifacts: the folder.
        formats: those that are asked for; None for all there are.
        may_be_none: whether there is something else to measure.

    Raises:
        ArtifactError: there are none, or one of the formats asked for has none.
    """
    found = {
        path.stem: path
        for path in sorted(artifacts.glob("*.json"))
        if path.name not in NOT_MANIFESTS
        and "." not in path.stem  # as `--explain` writes beside them
    }
    programs = {name: artifacts / name / f"{name}.json" for name in PROGRAMS}
    found |= {name: path for name, path in programs.items() if path.is_file()}
    if formats is not None:
        missing = [entry.name for entry in formats if entry.name not in found]
        if missing:
            raise ArtifactError(
                f"no {missing[0]} in {artifacts}; run `python -m export --format {missing[0]}`"
            )
        return [found[entry.name] for entry in formats]
    if not found and not may_be_none:
        raise ArtifactError(f"no exports in {artifacts}; run `python -m export --format all`")
    known = [found.pop(name) for name in FORMATS if name in found]
    return [*known, *found.values()]


def find_variants(
    manifests: Iterable[Path],
    settings: MeasureSettings,
    reference: ReferenceOutputs,
    test: Samples,
    keras: Path | None = None,
    *,
    built: Path,
) -> list[Variant]:
    """Returns every row to measure, in the order of the table; broken exports have a problem.

    Args:
        manifests: of those to measure, in the order of the table.
        settings: which variants of each.
        reference: the Keras model's outputs on the test data.
        test: the test data.
        keras: the request to load the Keras model, for rows of its own; None for none.
        built: a temporary folder for programs, which are no files of a runtime's.
    """
    hashes = frozenset(test.short_hashes())
    variants = []
    if keras is not None:
        size = size_bytes(read_request(keras))
        variants += [
            Variant(
                format=KERAS,
                runtime=KERAS,
                mode=None,
                threads=threads,
                manifest=None,
                path=keras,
                keras_bytes=size,
            )
            for threads in settings.threads
        ]
    for path in manifests:
        variants += _rows(path, settings, reference, hashes, built)
    return variants


def _rows(
    path: Path,
    settings: MeasureSettings,
    reference: ReferenceOutputs,
    hashes: frozenset[str],
    built: Path,
) -> Iterator[Variant]:
    manifest, problem, program = None, None, None
    try:
        manifest = read_manifest(path)
        check_file(manifest)
        check_source(manifest, reference)
        check_overlap(manifest, hashes)
        check_kept(manifest)
        if manifest.runtime == C:  # never what lies there: it might be a stranger's
            program = built_apart(path, built / C)
        elif manifest.runtime == WASM:
            program = set_out(manifest, built / WASM)
    except ToolkitError as error:
        problem = str(error)
    runtime = manifest.runtime if manifest else None
    for threads in settings.threads:
        for mode in modes_of(runtime, settings):
            yield Variant(
                format=path.stem,
                runtime=runtime,
                mode=mode,
                threads=threads,
                manifest=manifest,
                path=program or (manifest.artifact_path if manifest else path),
                problem=problem,
            )


def modes_of(runtime: str | None, settings: MeasureSettings) -> tuple[str | None, ...]:
    """Returns the modes of a runtime that get a row each."""
    known = MODES.get(runtime or "", ())
    return tuple(mode for mode in settings.modes if mode in known) or known[:1] or (None,)


def check_source(manifest: Manifest, reference: ReferenceOutputs) -> None:
    """Checks that an export and the reference outputs come from the same model and inputs.

    Raises:
        ArtifactError: another model, other preprocessing, outputs or classes.
    """
    again = f"run `python -m export --format {manifest.format}` again"
    if manifest.source.sha256 != reference.model_sha256:
        raise ArtifactError(
            f"{manifest.format} was made from another model: got source "
            f"{manifest.source.sha256[:12]}…, expected {reference.model_sha256[:12]}…; {again}"
        )
    embedded = manifest.options.get("embed_preprocessing", False)
    if not embedded and manifest.preprocessing != reference.preprocessing:
        raise ArtifactError(
            f"{manifest.format}: normalization is not the Keras model's: got "
            f"{manifest.preprocessing}, expected {reference.preprocessing}; {again}"
        )
    shapes = {name: values.shape[1:] for name, values in reference.outputs.items()}
    found = {spec.name: spec.shape[1:] for spec in manifest.outputs}
    if found.keys() != shapes.keys() or not all(fits(shapes[name], found[name]) for name in found):
        got, expected = (
            ", ".join(f"{name} {shape_text(shape)}" for name, shape in outputs.items())
            for outputs in (found, shapes)
        )
        raise ArtifactError(
            f"{manifest.format}: outputs are not the Keras model's: got {got}, expected "
            f"{expected}; {again}"
        )
    if manifest.labels != reference.labels:
        raise ArtifactError(
            f"{manifest.format}: labels are not the Keras model's, or in another order: got "
            f"{', '.join(manifest.labels)}, expected {', '.join(reference.labels)}; {again}"
        )


def check_overlap(manifest: Manifest, hashes: frozenset[str]) -> None:
    """Raises ArtifactError if test images were used to calibrate the export."""
    if manifest.calibration is None:
        return
    overlap = hashes.intersection(manifest.calibration.examples)
    if overlap:
        raise ArtifactError(
            f"{manifest.format}: the test data overlaps the calibration set: "
            f"{len(overlap)} of its {manifest.calibration.count} examples are test examples, so "
            "its accuracy on them proves nothing; calibrate on training data, or test on other data"
        )
