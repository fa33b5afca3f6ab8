"""Workers → raw results: every row loaded, run over all images, and timed in turns. Light."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.config import BenchmarkConfig
from benchmark.judge.task import Task
from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.conditions import (
    Conditions,
    conditions,
    probe_ns,
    read_counters,
    summarize_conditions,
)
from benchmark.measure.experiments import check_outputs, try_changes
from benchmark.measure.latency import MIN_ROUNDS
from benchmark.measure.process import WorkerProcess
from benchmark.measure.variants import Variant
from train.common.environment import available_cores, read_environment
from train.common.errors import ArtifactError
from train.common.record import ReferenceOutputs

# Workers of one group are alive together; half the memory is theirs: this much for each, and a
# file twice, as it lies in memory and as its runtime prepares it.
WORKER_BYTES = 64 << 20
FILE_COPIES = 2
MAX_WORKERS = 16
FIRST_WARM_UP_NS = 250_000_000
WARM_UP_NS = 30_000_000
MAX_QUIET = 1.15  # of the fastest fixed piece of Python in the run
THROUGHPUT_NS = 500_000_000
# Roughly what the parts of a run cost, for the estimate of the time that is left.
LOAD_COST, IMAGES_COST, SLICE_COST = 10.0, 10.0, 1.0
OnProgress = Callable[[str, float], None]


@dataclass(kw_only=True)
class Measured:
    """What measuring gave besides the raw results on disk.

    Attributes:
        problems: why a row could not be measured, by its key.
        conditions: of the machine while calls were timed; None if none were.
        reference: the row that each row's latency is compared with, by key.
        rounds: the numbers of each row's rounds, by key.
    """

    problems: dict[str, str] = field(default_factory=dict)
    conditions: Conditions | None = None
    reference: dict[str, str] = field(default_factory=dict)
    rounds: dict[str, range] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A variant, its worker, and what loading it took."""

    variant: Variant
    worker: WorkerProcess
    scalars: dict[str, Any]

    @property
    def key(self) -> str:
        """The variant's key."""
        return self.variant.key


def group_size(memory_bytes: int, file_bytes: int = 0) -> int:
    """Returns how many workers may be alive together on a machine with this much memory.

    Args:
        memory_bytes: the machine's.
        file_bytes: of the largest file. One that leaves no room for two is measured alone.
    """
    each = WORKER_BYTES + FILE_COPIES * file_bytes
    least = 2 if file_bytes < WORKER_BYTES else 1
    return max(least, min(MAX_WORKERS, memory_bytes // 2 // each))


def shuffled(workers: Sequence[Loaded], number: int) -> list[Loaded]:
    """Returns the workers in an order of this round's own, the same whenever it is asked for.

    At random, lest a disturbance that comes and goes regularly always meet the same rows.
    """
    return [workers[index] for index in np.random.RandomState(number).permutation(len(workers))]


class Measurement:
    """One run of all rows, a group of them at a time."""

    def __init__(
        self,
        config: BenchmarkConfig,
        raw: PartialResults,
        raw_inputs: Mapping[str, Path],
        reference: ReferenceOutputs,
        main: Task,
        on_progress: OnProgress,
    ) -> None:
        """`raw_inputs` are `.npy` files, (N, …) by the input's name; raw results go to `raw`."""
        self._main = main
        self._config = config
        self._raw = raw
        self._raw_inputs = raw_inputs
        self._reference = reference
        self._on_progress = on_progress
        self._cores = available_cores()
        self._probes_ns: list[int] = []
        self._workers_s = 0.0
        self._done = self._total = 0.0
        self._conditions: list[Conditions] = []
        self._measured = Measured()
        self._extras: dict[str, dict[str, Any]] = {"kernels": {}}
        if config.batch is not None:
            self._extras["throughput"] = {"batch": config.batch, "limit_ns": THROUGHPUT_NS}
        if config.profile:
            self._extras["profile"] = {}

    def run(self, variants: Sequence[Variant]) -> Measured:
        """Measures every variant that has no problem, and returns what became of all."""
        measured, rounds = self._measured, self._config.rounds
        measured.problems = {s.key: s.problem for s in variants if s.problem}
        sound = [variant for variant in variants if not variant.problem]
        launches = self._config.launches
        self._total = len(sound) * (launches * LOAD_COST + IMAGES_COST + rounds * SLICE_COST)
        largest = max((variant.size_bytes or 0 for variant in sound), default=0)
        size = group_size(read_environment().memory_bytes, largest)
        for start in range(0, len(sound), size):
            group = sound[start : start + size]
            # room for half as many more, where the machine was disturbed
            first = start // size * rounds * 2
            numbers = range(first, first + rounds * 2)
            exports = [variant.key for variant in group if variant.manifest is not None]
            for variant in group:
                measured.rounds[variant.key] = numbers
                if exports:
                    measured.reference[variant.key] = exports[0]
            for launch in range(launches + launches // 2):
                low, high = (end * rounds // launches for end in (launch, launch + 1))
                if launch >= launches and self._enough_quiet(group, numbers):
                    break
                self._launch(group, numbers[low:high], first=launch == 0)
        if self._conditions:
            measured.conditions = summarize_conditions(self._conditions, self._probes_ns)
        return measured

    def _launch(self, group: Sequence[Variant], numbers: range, *, first: bool) -> None:
        """Runs some rounds with new processes: where a process's memory lies moves its speed."""
        done = self._raw.rounds(numbers)
        for answers in done.values():
            self._note_errors(answers)
        rows = [self._raw.row(s.key) for s in group]
        if len(done) == len(numbers) and all(rows) and not (first and self._lacks_extras(group)):
            self._done += len(group) * (LOAD_COST + len(done) * SLICE_COST)
            return
        with ExitStack() as stack:
            workers = self._load(group, stack)
            self._run_images(workers)
            self._time(workers, numbers, done)
            if first:
                self._ask_extras(workers)

    def _load(self, group: Sequence[Variant], stack: ExitStack) -> list[Loaded]:
        """Starts the workers one after the other, so that none slows another's loading."""
        workers = []
        for variant in group:
            if variant.key in self._measured.problems:
                continue
            self._progress(f"{variant.key}: loading", LOAD_COST)
            job = variant.job(self._raw_inputs, self._reference)
            worker = stack.enter_context(WorkerProcess(job))
            try:
                workers.append(Loaded(variant=variant, worker=worker, scalars=worker.loaded()))
            except ArtifactError as error:
                self._measured.problems[variant.key] = str(error)
        return workers

    def _run_images(self, workers: list[Loaded]) -> None:
        """Runs all images, as many workers at a time as there are cores; keeps each result."""
        waiting = [loaded for loaded in workers if self._raw.row(loaded.key) is None]
        for start in range(0, len(waiting), len(self._cores)):
            some = waiting[start : start + len(self._cores)]
            places: dict[str, Path] = {}
            for loaded, core in zip(some, self._cores, strict=False):
                scratch = self._raw.scratch(loaded.key).resolve()
                places[loaded.key] = scratch
                loaded.worker.send("outputs", path=str(scratch), core=core)
            for loaded in some:
                scratch = places[loaded.key]
                try:
                    answer = self._outputs(loaded)
                    files = {n: scratch / f"{i}.npy" for i, n in enumerate(answer["outputs"])}
                    check_outputs(files, self._reference)
                    tried = try_changes(loaded.worker, files, self._reference, self._main)
                    self._raw.add_row(loaded.key, {**loaded.scalars, **answer, **tried}, scratch)
                except ArtifactError as error:
                    self._measured.problems[loaded.key] = str(error)

    def _outputs(self, loaded: Loaded) -> dict[str, Any]:
        """Returns what a worker says when it has run every example; tells how far it is."""
        total, told = len(self._reference), 0
        while True:
            answer = loaded.worker.receive()
            done = answer.get("done", total)
            self._progress(
                f"{loaded.key}: {done:,} of {total:,} examples", IMAGES_COST * (done - told) / total
            )
            told = done
            if "done" not in answer:
                return answer

    def _enough_quiet(self, group: Sequence[Variant], numbers: range) -> bool:
        """Whether every row of a group has the quiet rounds that can carry its statistics."""
        done = self._raw.rounds(numbers)
        for variant in group:
            answers = [found[variant.key] for found in done.values() if variant.key in found]
            probes = [answer["probe_ns"] for answer in answers if "probe_ns" in answer]
            fastest = min([*self._probes_ns, *probes], default=0)
            quiet = sum(probe <= MAX_QUIET * fastest for probe in probes)
            if variant.key not in self._measured.problems and quiet < MIN_ROUNDS:
                return False
        return True

    def _time(self, workers: list[Loaded], numbers: range, done: dict[int, dict[str, Any]]) -> None:
        """Times the rows in turns: a slice of each in every round, each round in another order."""
        problems = self._measured.problems
        before, started = read_counters(), time.monotonic()
        probe = probe_ns(self._cores[-1])
        workers_s = self._workers_s
        skipped = len(done)
        for number in numbers[skipped:]:
            # what loading took goes with the first round of its process
            is_first = number == numbers[skipped]
            answers: dict[str, Any] = {}
            for loaded in shuffled(workers, number):
                if loaded.key in problems:
                    continue
                self._progress(f"{loaded.key}: timing, round {number + 1}", SLICE_COST)
                try:
                    answer = self._slice(loaded.worker, is_first=is_first)
                    probe_before, probe = probe, probe_ns(self._cores[-1])
                    answer["probe_ns"] = max(probe_before, probe)
                    self._probes_ns.append(answer["probe_ns"])
                    answers[loaded.key] = answer | (loaded.scalars if is_first else {})
                except ArtifactError as error:
                    problems[loaded.key] = str(error)
                    answers[loaded.key] = {"error": str(error)}
            self._raw.add_round(number, answers)
            done[number] = answers
        seconds = time.monotonic() - started
        if len(done) > skipped:
            found = conditions(
                before, read_counters(), workers_s=self._workers_s - workers_s, seconds=seconds
            )
            self._conditions.append(found)

    def _note_errors(self, answers: dict[str, Any]) -> None:
        for key, answer in answers.items():
            if "error" in answer:
                self._measured.problems[key] = answer["error"]

    def _slice(self, worker: WorkerProcess, *, is_first: bool) -> dict[str, Any]:
        config = self._config
        answer = worker.ask(
            "time",
            samples=-(-config.samples // config.rounds),
            warm_up_ns=FIRST_WARM_UP_NS if is_first else WARM_UP_NS,
            limit_ns=int(config.max_seconds * 1e9 / config.rounds),
            core=self._cores[-1],
        )
        self._workers_s += answer["cpu_s"]
        return answer

    def _lacks_extras(self, group: Sequence[Variant]) -> bool:
        return any(self._lacks(variant.key, name) for variant in group for name in self._extras)

    def _lacks(self, key: str, name: str) -> bool:
        return key not in self._measured.problems and self._raw.answer(key, name) is None

    def _ask_extras(self, workers: list[Loaded]) -> None:
        """Asks for what is wanted besides; a row without it is still a row."""
        for loaded in workers:
            for name, arguments in self._extras.items():
                if not self._lacks(loaded.key, name):
                    continue
                self._progress(f"{loaded.key}: {name}", 0)
                try:
                    answer = loaded.worker.ask(name, **arguments)
                except ArtifactError as error:
                    answer = {"error": str(error)}
                self._raw.add_answer(loaded.key, name, answer)

    def _progress(self, text: str, cost: float) -> None:
        self._on_progress(text, min(1.0, self._done / self._total))
        self._done += cost
