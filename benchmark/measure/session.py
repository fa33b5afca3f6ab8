"""Variants → raw results: every row loaded, run over all examples, and timed in turns."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.conditions import Conditions
from benchmark.measure.experiments import Classes
from benchmark.measure.rounds import SLICE_COST, Rounds
from benchmark.measure.scoring import EXAMPLES_COST, Loaded, score
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from benchmark.measure.worker.process import ForkServer, WorkerProcess
from train.common.environment import read_environment
from train.common.errors import ArtifactError
from train.common.reference_outputs import ReferenceOutputs

# Workers of one group are alive together; half the memory is theirs: this much for each, and a
# file twice, as it lies in memory and as its runtime prepares it.
WORKER_BYTES = 64 << 20
FILE_COPIES = 2
MAX_WORKERS = 16
THROUGHPUT_NS = 500_000_000
LOAD_COST = 2.0  # of a whole run, where one round of timed calls costs 1
OnProgress = Callable[[str, float], None]


@dataclass(kw_only=True)
class Measured:
    """The results of measuring that are not on disk.

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


def group_size(memory_bytes: int, file_bytes: int = 0) -> int:
    """Returns how many workers may be alive together on a machine with this much memory.

    Args:
        memory_bytes: the machine's.
        file_bytes: of the largest file. One that leaves no room for two is measured alone.
    """
    each = WORKER_BYTES + FILE_COPIES * file_bytes
    least = 2 if file_bytes < WORKER_BYTES else 1
    return max(least, min(MAX_WORKERS, memory_bytes // 2 // each))


class Session:
    """One run of all rows, a group of them at a time."""

    def __init__(
        self,
        settings: MeasureSettings,
        raw: PartialResults,
        raw_inputs: Mapping[str, Path],
        reference: ReferenceOutputs,
        main: Classes,
        on_progress: OnProgress,
    ) -> None:
        """`raw_inputs` are `.npy` files, (N, …) by the input's name; raw results go to `raw`."""
        self._settings = settings
        self._raw = raw
        self._raw_inputs = raw_inputs
        self._reference = reference
        self._main = main
        self._on_progress = on_progress
        self._rounds = Rounds(settings, raw, self._step)
        self._lock = threading.Lock()
        self._done = self._total = 0.0
        self._measured = Measured()
        self._extras: dict[str, dict[str, Any]] = {"kernels": {}}
        if settings.batch is not None:
            self._extras["throughput"] = {"batch": settings.batch, "limit_ns": THROUGHPUT_NS}
        if settings.profile:
            self._extras["profile"] = {}

    def run(self, variants: Sequence[Variant]) -> Measured:
        """Measures every variant that has no problem."""
        measured, rounds, launches = self._measured, self._settings.rounds, self._settings.launches
        measured.problems = {s.key: s.problem for s in variants if s.problem}
        sound = [variant for variant in variants if not variant.problem]
        self._total = len(sound) * (launches * LOAD_COST + EXAMPLES_COST + rounds * SLICE_COST)
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
                if launch >= launches and self._rounds.enough_quiet(self._alive(group), numbers):
                    break
                self._launch(group, numbers[low:high], first=launch == 0)
        measured.conditions = self._rounds.conditions()
        return measured

    def _alive(self, group: Sequence[Variant]) -> list[str]:
        return [s.key for s in group if s.key not in self._measured.problems]

    def _launch(self, group: Sequence[Variant], numbers: range, *, first: bool) -> None:
        """Runs some rounds with new processes: where a process's memory lies moves its speed."""
        problems = self._measured.problems
        done = self._raw.rounds(numbers)
        for answers in done.values():
            problems |= {key: found["error"] for key, found in answers.items() if "error" in found}
        unscored = [key for key in self._alive(group) if self._raw.row(key) is None]
        lacking = first and any(
            self._lacks(key, name) for key in self._alive(group) for name in self._extras
        )
        if len(done) == len(numbers) and not unscored and not lacking:
            self._done += len(group) * (LOAD_COST + len(done) * SLICE_COST)
            return
        with ExitStack() as stack:
            workers = self._load(group, stack)
            waiting = [loaded for loaded in workers if loaded.key in unscored]
            problems |= score(waiting, self._raw, self._reference, self._main, self._step)
            left = [number for number in numbers if number not in done]
            sound = [loaded for loaded in workers if loaded.key not in problems]
            problems |= self._rounds.time(sound, left)
            if first:
                self._ask_extras(sound)

    def _load(self, group: Sequence[Variant], stack: ExitStack) -> list[Loaded]:
        """Starts the workers one after the other, so that none slows another's loading."""
        workers = []
        server = stack.enter_context(ForkServer())
        for variant in group:
            if variant.key in self._measured.problems:
                continue
            self._step(f"{variant.key}: loading", LOAD_COST)
            job = variant.job(self._raw_inputs, self._reference)
            try:
                variant.check_unchanged(self._reference)
                worker = WorkerProcess(server, job, timeout_s=self._settings.timeout_s)
                stack.enter_context(worker)
                workers.append(Loaded(variant=variant, worker=worker, scalars=worker.loaded()))
            except ArtifactError as error:
                self._measured.problems[variant.key] = str(error)
        return workers

    def _lacks(self, key: str, name: str) -> bool:
        return key not in self._measured.problems and self._raw.answer(key, name) is None

    def _ask_extras(self, workers: Sequence[Loaded]) -> None:
        """Makes the other measurements that were asked for; a row is valid without them."""
        for loaded in workers:
            for name, arguments in self._extras.items():
                if not self._lacks(loaded.key, name):
                    continue
                self._step(f"{loaded.key}: {name}", 0)
                try:
                    answer = loaded.worker.ask(name, **arguments)
                except ArtifactError as error:
                    answer = {"error": str(error)}
                self._raw.add_answer(loaded.key, name, answer)

    def _step(self, text: str, cost: float) -> None:
        """Tells what is being done; may be called by several threads."""
        with self._lock:
            self._on_progress(text, min(1.0, self._done / self._total))
            self._done += cost
