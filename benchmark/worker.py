"""Runs one export in a process of its own: `python -m benchmark.worker`.

A process of its own, because a broken file can take its runtime down with it, and because load
time and memory mean nothing in a process that has run other models. It stays alive between
rounds, so that formats can be timed in turns. Requests come as JSON objects, one a line, on
standard input; each has one answer, on what was standard output: the runtimes' own prints go to
standard error.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmark.kernels import kernels
from benchmark.latency import time_calls, timer_cost_ns, warm_up
from benchmark.memory import resident_peak
from benchmark.profilers import profile
from benchmark.symptoms import EXPERIMENT_IMAGES, experiments
from export.manifest import TensorSpec
from export.runners import clipped, decode, encode, open_runner, range_use
from export.runners.keras import KerasRunner
from export.runners.runner import Runner
from train.data import Preprocessing
from train.environment import pin
from train.errors import ArtifactError, MissingPackageError, ToolkitError

TIMED_IMAGES = 1_000
CHUNK_IMAGES = 1_000
RUNTIME_MODULES = {
    "litert": "ai_edge_litert.interpreter",
    "onnxruntime": "onnxruntime",
    "keras": "keras",
}
Clock = Callable[[], int]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to load.

    Attributes:
        name: the format, for messages.
        runtime: the runtime that runs the file.
        mode: how, as in `export.runners.MODES`; None for the default.
        threads: how many threads the runtime may use.
        file: the exported file.
        input: the input that the file must have; None to take it as it is.
        output: the same of the output.
        preprocessing: what turns a raw image into the input.
        images: an `.npy` file of raw test images, (N, …) uint8.
    """

    name: str
    runtime: str
    mode: str | None
    threads: int
    file: Path
    input: TensorSpec | None
    output: TensorSpec | None
    preprocessing: Preprocessing
    images: Path

    def as_json(self) -> dict[str, Any]:
        """Returns the job as a JSON object."""
        return {**asdict(self), "file": str(self.file), "images": str(self.images)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Job":
        """Returns the job that `as_json` wrote."""
        specs = {
            side: None
            if fields[side] is None
            else TensorSpec(**{**fields[side], "shape": tuple(fields[side]["shape"])})
            for side in ("input", "output")
        }
        paths = {side: Path(fields[side]) for side in ("file", "images")}
        preprocessing = Preprocessing(**fields["preprocessing"])
        return cls(**{**fields, **specs, **paths, "preprocessing": preprocessing})


def main() -> int:
    """Answers requests until standard input ends; returns 0."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        channel.write(json.dumps(content) + "\n")

    try:
        serve(sys.stdin, answer, clock_ns=time.perf_counter_ns)
    except ModuleNotFoundError as error:
        answer({"error": str(MissingPackageError(error))})
    except ToolkitError as error:
        answer({"error": str(error)})
    return 0


def serve(
    requests: IO[str],
    answer: Callable[[dict[str, Any]], None],
    *,
    clock_ns: Clock,
    opener: Callable[..., Runner] = open_runner,
) -> None:
    """Loads the job of the first request, then answers the others until they end.

    Args:
        requests: lines of JSON: a job, then objects with `do`, a method of `Session`.
        answer: sends one answer.
        clock_ns: a monotonic clock in nanoseconds.
        opener: opens a runner, as `open_runner` does.

    Raises:
        ArtifactError: the runtime refuses the file, or the file is not what was declared.
    """
    job = Job.from_json(json.loads(requests.readline()))
    images = np.load(job.images, mmap_mode="r")
    import_runtime(job.runtime)
    empty_bytes = resident_peak()
    load_started = clock_ns()
    with opener(job.runtime, job.file, threads=job.threads, mode=job.mode) as runner:
        loaded = clock_ns()
        session = Session(job, runner, images, clock_ns)
        first_inference_us = session.first_inference_us()
        peak_bytes = resident_peak()
        answer(
            {
                "first_result_ns": time.monotonic_ns(),
                "load_ms": (loaded - load_started) / 1e6,
                "first_inference_us": first_inference_us,
                "peak_rss_bytes": peak_bytes,
                "peak_rss_over_empty_bytes": max(0, peak_bytes - empty_bytes),
                "timer_ns": timer_cost_ns(clock_ns),
                "call": runner.call if isinstance(runner, KerasRunner) else "invoke",
            }
        )
        for line in requests:
            request = json.loads(line)
            method = getattr(session, "do_" + request.pop("do"))
            answer(method(**request))


def import_runtime(runtime: str) -> None:
    """Imports a runtime's package, so that its own memory can be told from a model's."""
    if runtime in RUNTIME_MODULES:
        importlib.import_module(RUNTIME_MODULES[runtime])


class Session:
    """A loaded model and what can be asked of it."""

    def __init__(self, job: Job, runner: Runner, images: np.ndarray, clock_ns: Clock) -> None:
        """Raises ArtifactError if the file is not as declared or the images do not fit it."""
        for kind, found, declared in (
            ("input", runner.input, job.input),
            ("output", runner.output, job.output),
        ):
            if declared is not None and found != declared:
                raise ArtifactError(
                    f"{job.file}: got {kind} {found}, expected {declared} by its manifest"
                )
        if images.shape[1:] != runner.input.shape[1:]:
            raise ArtifactError(
                f"{job.name}: got images of shape {images.shape[1:]}, expected "
                f"{runner.input.shape[1:]}"
            )
        self._job = job
        self._runner = runner
        self._images = images
        self._clock_ns = clock_ns
        self._timed: list[np.ndarray] = []
        self.pinned = False

    def first_inference_us(self) -> float:
        """Runs the very first inference and returns how long it took, in microseconds."""
        value = encode(self._inputs(0, 1), self._runner.input)
        started = self._clock_ns()
        self._runner.invoke(value)
        return (self._clock_ns() - started) / 1e3

    def do_outputs(self, path: str, core: int | None) -> dict[str, Any]:
        """Runs every image one by one; writes the outputs, (N, classes) float32, to `path`."""
        self._pin(core)
        chunks, clipped_values, used = [], 0, 0.0
        for start in range(0, len(self._images), CHUNK_IMAGES):
            inputs = self._inputs(start, start + CHUNK_IMAGES)
            clipped_values += clipped(inputs, self._runner.input)
            used = max(used, range_use(inputs, self._runner.input))
            chunks.append(self._outputs(inputs))
        np.save(path, np.concatenate(chunks))
        return {"clipped_share": clipped_values / self._images.size, "input_range_use": used}

    def do_experiments(self) -> dict[str, Any]:
        """Returns the predicted classes of some images, and with their inputs changed."""
        inputs = self._inputs(0, EXPERIMENT_IMAGES)
        changed = {
            name: self._outputs(values).argmax(axis=1).tolist()
            for name, values in experiments(inputs).items()
        }
        return {"predicted": changed}

    def do_time(
        self, samples: int, warm_up_ns: int, limit_ns: int, core: int | None
    ) -> dict[str, Any]:
        """Times one slice of single inferences, warmed up."""
        self._pin(core)
        if not self._timed:
            self._timed = list(self._stored(self._inputs(0, TIMED_IMAGES)))
        cpu_started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF)
        invoke, clock_ns = self._runner.invoke, self._clock_ns
        warmed = warm_up(invoke, self._timed, clock_ns=clock_ns, limit_ns=warm_up_ns)
        durations = time_calls(
            invoke, self._timed, samples=samples, clock_ns=clock_ns, limit_ns=limit_ns
        )
        after = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "durations_ns": durations,
            "warm_up_calls": warmed.calls,
            "stable": warmed.stable,
            "pinned": self.pinned,
            "cpu_s": time.process_time() - cpu_started,
            "preemptions": after.ru_nivcsw - before.ru_nivcsw,
        }

    def do_throughput(self, batch: int, limit_ns: int) -> dict[str, Any]:
        """Measures images a second in batches, or one by one where the file fixes a batch of one.

        The median over the batches, of at most `limit_ns` in all.
        """
        fixed = self._runner.input.shape[0] is not None
        values = self._stored(np.resize(self._inputs(0, batch), (batch, *self._images.shape[1:])))
        batched = values if fixed else values[:, 0][np.newaxis]
        if not fixed:
            self._runner.resize(batch)
        warm_up(self._runner.invoke, list(batched), clock_ns=self._clock_ns, limit_ns=limit_ns // 4)
        seconds: list[float] = []
        started = self._clock_ns()
        while self._clock_ns() - started < limit_ns or not seconds:
            before = self._clock_ns()
            for value in batched:
                self._runner.invoke(value)
            seconds.append((self._clock_ns() - before) / 1e9)
        if not fixed:
            self._runner.resize(1)
        return {
            "batch": batch,
            "images_per_second": batch / float(np.median(seconds)),
            "calls": "one by one" if fixed else "batched",
            "repeats": len(seconds),
        }

    def do_kernels(self) -> dict[str, Any]:
        """Returns which operators run, and which of them outside a delegate."""
        job, inputs = self._job, self._stored(self._inputs(0, 1))
        return kernels(self._runner, job.file, inputs, threads=job.threads, mode=job.mode)

    def do_profile(self) -> dict[str, Any]:
        """Returns the time of each operator, by the runtime's own profiler."""
        inputs = list(self._stored(self._inputs(0, TIMED_IMAGES)))
        job = self._job
        found = profile(job.runtime, job.file, inputs, threads=job.threads, mode=job.mode)
        return {"operators": [operator.as_json() for operator in found]}

    def _inputs(self, start: int, stop: int) -> np.ndarray:
        return self._job.preprocessing.apply(np.asarray(self._images[start:stop]))

    def _stored(self, inputs: np.ndarray) -> np.ndarray:
        return encode(inputs, self._runner.input)[:, np.newaxis]

    def _outputs(self, inputs: np.ndarray) -> np.ndarray:
        return decode(self._runner.invoke_each(self._stored(inputs)), self._runner.output)

    def _pin(self, core: int | None) -> None:
        """Keeps a single-threaded runtime on one core; the pools of others are left alone."""
        if core is not None and self._job.threads == 1 and self._job.runtime != "keras":
            self.pinned = pin({core})


if __name__ == "__main__":
    sys.exit(main())
