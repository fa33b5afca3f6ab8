"""Manifests → one worker process each → accuracy, latency, verdict → results."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.accuracy import Accuracy, compare
from benchmark.gate import Gate, Verdict, judge
from benchmark.latency import Latency, summarize
from benchmark.worker import DURATIONS_FILE, OUTPUTS_FILE, Job
from export.formats import FORMATS, Format
from export.manifest import Manifest, check_file, read_manifest
from train import data as dataset
from train.artifact import package_versions, publish, staging, write_json
from train.environment import read_environment
from train.errors import ArtifactError
from train.record import RECORD_FILE, ReferenceOutputs, load_outputs

RESULTS_FILE = "benchmark.json"
NOT_MANIFESTS = (RECORD_FILE, RESULTS_FILE)
SCHEMA_VERSION = 1
RUNTIME_PACKAGES = {"litert": "ai-edge-litert", "onnxruntime": "onnxruntime"}
REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """One run of `python -m benchmark`.

    Attributes:
        artifacts: folder with the exports; the results are written there.
        data: folder of the data set; None to look for it.
        formats: formats to run; None for every manifest found.
        gate: the limits of the verdict.
        threads: threads a runtime may use.
        samples: how many single inferences are timed a format.
    """

    artifacts: Path
    data: Path | None
    formats: tuple[Format, ...] | None
    gate: Gate
    threads: int
    samples: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """A row of the table; what could not be measured is None."""

    format: str
    runtime: str | None = None
    threads: int
    size_bytes: int | None = None
    gzip_bytes: int | None = None
    accuracy: Accuracy | None = None
    latency: Latency | None = None
    load_ms: float | None = None
    first_inference_us: float | None = None
    peak_rss_bytes: int | None = None
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    def as_json(self, gate: Gate) -> dict[str, Any]:
        """Returns the row as a JSON object, flat but for the latency."""
        found = self.accuracy
        return {
            "format": self.format,
            "runtime": self.runtime,
            "threads": self.threads,
            "size_bytes": self.size_bytes,
            "gzip_bytes": self.gzip_bytes,
            "correct": found and found.correct,
            "total": found and found.total,
            "accuracy": found and found.accuracy,
            "delta_vs_baseline": found and found.accuracy - gate.baseline,
            "drop_vs_source": found and found.drop_vs_source,
            "drop_ci95": found and found.drop_ci95,
            "agreement": found and found.agreement,
            "latency_us": self.latency and self.latency.as_json(),
            "load_ms": self.load_ms,
            "first_inference_us": self.first_inference_us,
            "peak_rss_bytes": self.peak_rss_bytes,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Everything a run found: its rows and the Keras model's own accuracy, 0…1."""

    results: tuple[Result, ...]
    source_accuracy: float
    total: int


def run_benchmark(
    config: BenchmarkConfig,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_progress: Callable[[str], None] = lambda text: None,
) -> Benchmark:
    """Measures and judges every export in the folder and writes `benchmark.json` there.

    A broken export is a row with verdict `error`; it does not end the run.

    Raises:
        ArtifactError: there are no exports, no reference outputs, or the folder is unwritable.
        DataError: the data set cannot be had.
    """
    manifests = find_manifests(config.artifacts, config.formats)
    reference = load_outputs(config.artifacts)
    test = dataset.load_test(config.data)
    check_reference(reference, test)
    results = []
    with staging(config.artifacts) as staged, tempfile.TemporaryDirectory() as folder:
        images_path = Path(folder, "images.npy")
        np.save(images_path, test.images)
        for path in manifests:
            on_progress(f"{path.stem}: {test.labels.size:,} images, {config.samples:,} timed calls")
            job = Job(
                manifest=path.resolve(),
                images=images_path,
                results=Path(folder),
                threads=config.threads,
                samples=config.samples,
            )
            results.append(benchmark_one(job, reference, test.labels, config.gate))
        benchmark = Benchmark(
            results=tuple(results),
            source_accuracy=float(np.mean(reference.outputs.argmax(axis=1) == test.labels)),
            total=int(test.labels.size),
        )
        write_json(staged / RESULTS_FILE, as_json(benchmark, config, reference, now()))
        publish([staged / RESULTS_FILE], config.artifacts)
    return benchmark


def find_manifests(artifacts: Path, formats: tuple[Format, ...] | None) -> list[Path]:
    """Returns the manifests in a folder, in the order of the format table, unknown ones last.

    Raises:
        ArtifactError: there are none, or one of the formats asked for has none.
    """
    found = {
        path.stem: path
        for path in sorted(artifacts.glob("*.json"))
        if path.name not in NOT_MANIFESTS
    }
    if formats is not None:
        missing = [entry.name for entry in formats if entry.name not in found]
        if missing:
            raise ArtifactError(
                f"no {missing[0]} in {artifacts}; run `python -m export --format {missing[0]}`"
            )
        return [found[entry.name] for entry in formats]
    if not found:
        raise ArtifactError(f"no exports in {artifacts}; run `python -m export --format all`")
    known = [found.pop(name) for name in FORMATS if name in found]
    return [*known, *found.values()]


def check_reference(reference: ReferenceOutputs, test: dataset.LabelledImages) -> None:
    """Raises ArtifactError unless the Keras model's outputs are those on this test data."""
    if reference.data_sha256 != test.sha256() or len(reference.outputs) != test.labels.size:
        raise ArtifactError(
            "the Keras model's stored outputs belong to other test data: got data "
            f"{reference.data_sha256[:12]}…, expected {test.sha256()[:12]}…; "
            "run `python -m train` again"
        )


def benchmark_one(job: Job, reference: ReferenceOutputs, labels: np.ndarray, gate: Gate) -> Result:
    """Measures one export in a process of its own and judges it; never raises for a bad one."""
    manifest: Manifest | None = None
    try:
        manifest = read_manifest(job.manifest)
        check_file(manifest)
        check_source(manifest, reference)
        scalars = run_worker(job)
        accuracy = compare(np.load(job.results / OUTPUTS_FILE), reference.outputs, labels)
        verdict, reasons = judge(accuracy, gate)
        return Result(
            format=manifest.format,
            runtime=manifest.runtime,
            threads=job.threads,
            size_bytes=manifest.size_bytes,
            gzip_bytes=manifest.gzip_bytes,
            accuracy=accuracy,
            latency=summarize(np.load(job.results / DURATIONS_FILE)),
            load_ms=scalars["load_ms"],
            first_inference_us=scalars["first_inference_us"],
            peak_rss_bytes=scalars["peak_rss_bytes"],
            verdict=verdict,
            reasons=reasons,
        )
    except ArtifactError as error:
        return Result(
            format=job.manifest.stem,
            runtime=None if manifest is None else manifest.runtime,
            size_bytes=None if manifest is None else manifest.size_bytes,
            gzip_bytes=None if manifest is None else manifest.gzip_bytes,
            threads=job.threads,
            verdict="error",
            reasons=(str(error),),
        )


def check_source(manifest: Manifest, reference: ReferenceOutputs) -> None:
    """Raises ArtifactError if the export was made from another model than the reference."""
    if manifest.source.sha256 != reference.model_sha256:
        raise ArtifactError(
            f"{manifest.format} was made from another model: got source "
            f"{manifest.source.sha256[:12]}…, expected {reference.model_sha256[:12]}…; "
            f"run `python -m export --format {manifest.format}` again"
        )


def run_worker(job: Job) -> dict[str, Any]:
    """Runs a job in a new interpreter and returns its scalars.

    Raises:
        ArtifactError: the worker refused the export, or its process died.
    """
    search_path = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.worker"],
        input=json.dumps(job.as_json()),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        died = f"signal {-done.returncode}" if done.returncode < 0 else "an exception"
        raise ArtifactError(f"{job.manifest.stem}: its process ended by {died}: {last}")
    scalars: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in scalars:
        raise ArtifactError(scalars["error"])
    return scalars


def as_json(
    benchmark: Benchmark, config: BenchmarkConfig, reference: ReferenceOutputs, now: datetime
) -> dict[str, Any]:
    """Returns the content of `benchmark.json`."""
    ran = {result.runtime for result in benchmark.results if result.latency is not None}
    packages = [package for name, package in RUNTIME_PACKAGES.items() if name in ran]
    return {
        "schema_version": SCHEMA_VERSION,
        "created": now.isoformat(timespec="seconds"),
        "environment": read_environment().as_json(),
        "versions": package_versions("numpy", *packages),
        "settings": {
            **asdict(config.gate),
            "threads": config.threads,
            "samples": config.samples,
        },
        "source": {
            "sha256": reference.model_sha256,
            "data_sha256": reference.data_sha256,
            "accuracy": benchmark.source_accuracy,
        },
        "results": [result.as_json(config.gate) for result in benchmark.results],
    }
