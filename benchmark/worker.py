"""Runs one export in a process of its own: `python -m benchmark.worker`, a job on stdin.

A process of its own, because a broken file can take its runtime down with it, and because
load time and memory mean nothing in a process that has run other models.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.latency import time_calls
from export.manifest import Manifest, read_manifest
from export.runners import decode, encode, open_runner
from train.errors import ArtifactError, MissingPackageError, ToolkitError

OUTPUTS_FILE = "outputs.npy"
DURATIONS_FILE = "durations_ns.npy"
TIMED_IMAGES = 1_000


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to measure.

    Attributes:
        manifest: the export's manifest.
        images: an `.npy` file of raw test images, (N, …) uint8.
        results: the folder that `outputs.npy` (N, classes) float32 and `durations_ns.npy`
            (samples,) int64 are written to.
        threads: how many threads the runtime may use.
        samples: how many single inferences to time.
    """

    manifest: Path
    images: Path
    results: Path
    threads: int
    samples: int

    def as_json(self) -> dict[str, Any]:
        """Returns the job as a JSON object."""
        return {
            "manifest": str(self.manifest),
            "images": str(self.images),
            "results": str(self.results),
            "threads": self.threads,
            "samples": self.samples,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Job":
        """Returns the job that `as_json` wrote."""
        return cls(
            manifest=Path(fields["manifest"]),
            images=Path(fields["images"]),
            results=Path(fields["results"]),
            threads=fields["threads"],
            samples=fields["samples"],
        )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What a run of all images and the timed calls gave."""

    outputs: np.ndarray
    durations_ns: np.ndarray
    load_ms: float
    first_inference_us: float


def main() -> int:
    """Does the job on stdin; prints its scalars, or `error`, as a JSON object."""
    job = Job.from_json(json.load(sys.stdin))
    try:
        measured = measure(
            read_manifest(job.manifest),
            np.load(job.images),
            threads=job.threads,
            samples=job.samples,
            clock_ns=time.perf_counter_ns,
        )
    except ModuleNotFoundError as error:
        print(json.dumps({"error": str(MissingPackageError(error))}))
        return 0
    except ToolkitError as error:
        print(json.dumps({"error": str(error)}))
        return 0
    np.save(job.results / OUTPUTS_FILE, measured.outputs)
    np.save(job.results / DURATIONS_FILE, measured.durations_ns)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scalars = {
        "load_ms": measured.load_ms,
        "first_inference_us": measured.first_inference_us,
        "peak_rss_bytes": peak_kib * 1024,
    }
    print(json.dumps(scalars))
    return 0


def measure(
    manifest: Manifest,
    images: np.ndarray,
    *,
    threads: int,
    samples: int,
    clock_ns: Callable[[], int],
    opener: Callable[..., Any] = open_runner,
) -> Measurement:
    """Loads an export, classifies every image one by one, then times single inferences.

    Args:
        manifest: describes the export; its preprocessing is applied to the images.
        images: (N, …) uint8, raw, N ≥ 1.
        threads: how many threads the runtime may use.
        samples: how many inferences to time.
        clock_ns: a monotonic clock in nanoseconds.
        opener: opens a runner, as `open_runner` does.

    Raises:
        ArtifactError: the runtime refuses the file, or the file is not what the manifest says.
    """
    load_started = clock_ns()
    with opener(manifest.runtime, manifest.artifact_path, threads=threads) as runner:
        load_ms = (clock_ns() - load_started) / 1e6
        for kind, found, declared in (
            ("input", runner.input, manifest.inputs),
            ("output", runner.output, manifest.outputs),
        ):
            if (found,) != declared:
                raise ArtifactError(
                    f"{manifest.artifact_path}: got {kind} {found}, expected "
                    f"{', '.join(map(str, declared))} by its manifest"
                )
        inputs = manifest.preprocessing.apply(images)
        if inputs.shape[1:] != runner.input.shape[1:]:
            raise ArtifactError(
                f"{manifest.format}: got images of shape {inputs.shape[1:]}, expected "
                f"{runner.input.shape[1:]}"
            )
        values = encode(inputs, runner.input)[:, np.newaxis]
        first_started = clock_ns()
        first = runner.invoke(values[0])
        first_inference_us = (clock_ns() - first_started) / 1e3
        stored = np.concatenate([first, *(runner.invoke(value) for value in values[1:])])
        durations_ns = time_calls(
            runner.invoke, values[:TIMED_IMAGES], samples=samples, clock_ns=clock_ns
        )
        return Measurement(
            outputs=decode(stored, runner.output),
            durations_ns=durations_ns,
            load_ms=load_ms,
            first_inference_us=first_inference_us,
        )


if __name__ == "__main__":
    sys.exit(main())
