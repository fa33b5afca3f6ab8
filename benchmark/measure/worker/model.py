"""A model loaded in a worker, and what can be asked of it."""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.experiments import MAX_EXAMPLES, changed_inputs
from benchmark.measure.worker.elsewhere import images_per_second, time_elsewhere
from benchmark.measure.worker.process import Job
from benchmark.measure.worker.profilers import operators, profile
from benchmark.measure.worker.timing import Clock, time_calls, warm_up
from export.runtimes.predict import clipped, encode_all, predict, range_use
from export.runtimes.runner import ProcessRunner, Runner, Values, pack, unpack
from train.common.environment import pin
from train.common.errors import ArtifactError
from train.common.files.artifact import new_array
from train.common.preprocessing import preprocess
from train.common.tensors import TensorSpec

CHUNK_EXAMPLES = 1_000  # at a time, fewer where they are large
CHUNK_VALUES = 4_000_000  # of inputs and outputs
CHUNK_NS = 2_000_000_000  # of a slow model, so that it can be said how far it is
PROFILE_NS = 5_000_000_000
EXPERIMENTS_NS = 30_000_000_000  # of all changes together


def named_as(found: Sequence[TensorSpec], declared: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Returns a file's inputs or outputs under the names that are declared, place by place."""
    pairs = zip_longest(found, declared[: len(found)])
    return tuple(replace(spec, name=named.name) if named else spec for spec, named in pairs)


class LoadedModel:
    """A file in its runtime; each method `do_…` answers one kind of request."""

    def __init__(
        self,
        job: Job,
        runner: Runner,
        raw: Mapping[str, np.ndarray],
        clock_ns: Clock,
        answer: Callable[[dict[str, Any]], None],
    ) -> None:
        """`answer` sends what is said before a request is done.

        Raises:
            ArtifactError: the file is not as declared.
        """
        if job.renamed:
            runner.inputs = named_as(runner.inputs, job.inputs or ())
            runner.outputs = named_as(runner.outputs, job.outputs or ())
        for kind, found, declared in (
            ("input", runner.inputs, job.inputs),
            ("output", runner.outputs, job.outputs),
        ):
            if declared is not None and found != declared:
                raise ArtifactError(
                    f"{job.file}: got {kind} {', '.join(map(str, found))}, expected "
                    f"{', '.join(map(str, declared))} by its manifest"
                )
        self._job = job
        self._runner = runner
        self._batch = runner.inputs[0].shape[0]  # None if it is open
        self._raw = raw
        self._count = len(next(iter(raw.values())))
        self.chunk = 1
        self._call_ns = 0
        self._clock_ns = clock_ns
        self._answer = answer
        self._timed: list[Values] = []
        self.pinned = False

    def first_inference_us(self) -> float:
        """Runs the very first inference and returns how long it took, in microseconds."""
        (value,) = self._stored(self._inputs(0, 1))
        if isinstance(self._runner, ProcessRunner):
            (self._call_ns,) = self._runner.time([value], samples=1, limit_ns=0).durations_ns
            found = self._runner.invoke(value)
        else:
            started = self._clock_ns()
            found = self._runner.invoke(value)
            self._call_ns = self._clock_ns() - started
        values = sum(array.size for array in (*unpack(value), *unpack(found)))
        self.chunk = max(1, min(CHUNK_EXAMPLES, CHUNK_VALUES // max(1, values)))
        return self._call_ns / 1e3

    def do_outputs(self, path: str, core: int | None) -> dict[str, Any]:
        """Runs every example one by one; writes the outputs, (N, …) float32, into a folder.

        Of a slow model it says now and then how many are done.
        """
        self._pin(core)
        files: list[np.ndarray] = []
        names, clipped_values, total, used = [], 0, 0, 0.0
        chunk = max(1, min(self.chunk, CHUNK_NS // max(1, self._call_ns)))
        told_ns = self._clock_ns()
        for start in range(0, self._count, chunk):
            if self._clock_ns() - told_ns > CHUNK_NS:
                self._answer({"done": start})
                told_ns = self._clock_ns()
            inputs = self._inputs(start, start + chunk)
            for spec in self._runner.inputs:
                clipped_values += clipped(inputs[spec.name], spec)
                total += inputs[spec.name].size
                if spec.scale is not None:
                    used = max(used, range_use(inputs[spec.name], spec))
            outputs = self._outputs(inputs)
            if not files:
                names = list(outputs)
                files = [
                    new_array(Path(path, f"{number}.npy"), (self._count, *values.shape[1:]))
                    for number, values in enumerate(outputs.values())
                ]
            for file, values in zip(files, outputs.values(), strict=True):
                file[start : start + len(values)] = values
        del files  # written when they are closed
        quantized = any(spec.scale is not None for spec in self._runner.inputs)
        return {
            "outputs": names,
            "clipped_share": clipped_values / total,
            "input_range_use": used if quantized else 1.0,
        }

    def do_experiments(self, path: str, output: str) -> dict[str, Any]:
        """Runs some examples with their input changed; writes an output of each change.

        Of a model with one input; of fewer examples where a call takes long.

        Args:
            path: a folder; `changed<number>.npy` are written there, (N, …) float32.
            output: the output's name.
        """
        ((name, some),) = self._inputs(0, 1).items()
        ways = len(changed_inputs(some))
        count = max(1, min(MAX_EXAMPLES, EXPERIMENTS_NS // (ways * max(1, self._call_ns))))
        changed = changed_inputs(self._inputs(0, count)[name])
        for number, values in enumerate(changed.values()):
            np.save(Path(path, f"changed{number}.npy"), self._outputs({name: values})[output])
        return {"changes": list(changed)}

    def do_time(
        self, samples: int, warm_up_ns: int, limit_ns: int, core: int | None
    ) -> dict[str, Any]:
        """Times one slice of single inferences, warmed up.

        Of a call whose batch is fixed, each example's share.
        """
        self._pin(core)
        if not self._timed:
            self._timed = self._stored(self._inputs(0, self.chunk))
        if isinstance(self._runner, ProcessRunner):
            answer = time_elsewhere(
                self._runner,
                self._timed,
                samples=samples,
                warm_up_ns=warm_up_ns,
                limit_ns=limit_ns,
                clock_ns=self._clock_ns,
            )
            return {**answer, "pinned": self.pinned}
        cpu_started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF)
        invoke, clock_ns = self._runner.invoke, self._clock_ns
        warmed = warm_up(invoke, self._timed, clock_ns=clock_ns, limit_ns=warm_up_ns)
        durations = time_calls(
            invoke, self._timed, samples=samples, clock_ns=clock_ns, limit_ns=limit_ns
        )
        after = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "durations_ns": [duration // (self._batch or 1) for duration in durations],
            "warm_up_calls": warmed.calls,
            "stable": warmed.stable,
            "pinned": self.pinned,
            "cpu_s": time.process_time() - cpu_started,
            "preemptions": after.ru_nivcsw - before.ru_nivcsw,
        }

    def do_throughput(self, batch: int, limit_ns: int) -> dict[str, Any]:
        """Measures examples per second in batches, or in the file's own where that is fixed.

        The median over the batches, of at most `limit_ns` in all.
        """
        fixed = self._batch
        some = self._inputs(0, min(batch, self._count))
        values = {name: np.resize(found, (batch, *found.shape[1:])) for name, found in some.items()}
        if fixed:
            batched = self._stored(values)
        else:
            self._runner.resize(batch)
            stored = unpack(encode_all(values, self._runner.inputs))
            batched = [pack([one[:, 0] for one in stored])]
        if isinstance(self._runner, ProcessRunner):
            rate = images_per_second(self._runner, batched, limit_ns)
            calls = {"calls": "one by one", "repeats": 1}
            return {"batch": batch, "images_per_second": rate, **calls}
        warm_up(self._runner.invoke, batched, clock_ns=self._clock_ns, limit_ns=limit_ns // 4)
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
            "calls": "one by one" if fixed == 1 else f"{fixed} at a time" if fixed else "batched",
            "repeats": len(seconds),
        }

    def do_kernels(self) -> dict[str, Any]:
        """Returns which operators run, and which of them outside a delegate."""
        job, inputs = self._job, self._stored(self._inputs(0, 1))
        return operators(self._runner, job.file, inputs, threads=job.threads, mode=job.mode)

    def do_profile(self) -> dict[str, Any]:
        """Returns the time of each operator, by the runtime's own profiler."""
        count = max(1, min(self.chunk, PROFILE_NS // max(1, self._call_ns)))
        inputs, job = self._stored(self._inputs(0, count)), self._job
        found = profile(job.runtime, job.file, inputs, threads=job.threads, mode=job.mode)
        return {"operators": [operator.as_json() for operator in found]}

    def _inputs(self, start: int, stop: int) -> dict[str, np.ndarray]:
        raw = {name: np.asarray(values[start:stop]) for name, values in self._raw.items()}
        return preprocess(raw, self._job.preprocessing)

    def _stored(self, inputs: dict[str, np.ndarray]) -> list[Values]:
        """Returns examples as the runner takes them, one by one."""
        stored = unpack(encode_all(inputs, self._runner.inputs))
        return [pack(example) for example in zip(*stored, strict=True)]

    def _outputs(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return predict(self._runner, inputs)

    def _pin(self, core: int | None) -> None:
        """Keeps a single-threaded runtime on one core; the pools of others are left alone."""
        if core is not None and self._job.threads == 1 and self._job.runtime != "keras":
            self.pinned = pin({core})
            if isinstance(self._runner, ProcessRunner):
                self._runner.pin(core)
