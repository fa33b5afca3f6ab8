"""Times rows in turns: one slice of each in every round, and nothing else on the machine."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.conditions import (
    Conditions,
    conditions,
    probe_ns,
    read_counters,
    summarize_conditions,
)
from benchmark.measure.latency import MIN_ROUNDS
from benchmark.measure.scoring import Loaded, OnStep
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.worker.process import WorkerProcess
from train.common.environment import available_cores
from train.common.errors import ArtifactError

FIRST_WARM_UP_NS = 250_000_000
WARM_UP_NS = 30_000_000
MAX_QUIET = 1.15  # of the fastest fixed piece of Python in the run
SLICE_COST = 1.0


class Rounds:
    """The timed calls of a run, and what the machine did meanwhile."""

    def __init__(self, settings: MeasureSettings, raw: PartialResults, on_step: OnStep) -> None:
        self._settings = settings
        self._raw = raw
        self._on_step = on_step
        self._core = available_cores()[-1]
        self._probes_ns: list[int] = []
        self._conditions: list[Conditions] = []

    def time(self, workers: Sequence[Loaded], numbers: Sequence[int]) -> dict[str, str]:
        """Times some rounds, each in another order, and keeps each when it is done.

        Returns:
            Why a row could not be timed, by its key.
        """
        problems: dict[str, str] = {}
        before, started = read_counters(), time.monotonic()
        probe = probe_ns(self._core)
        workers_s = 0.0
        for number in numbers:
            is_first = number == numbers[0]
            answers: dict[str, Any] = {}
            for loaded in shuffled(workers, number):
                if loaded.key in problems:
                    continue
                self._on_step(f"{loaded.key}: timing, round {number + 1}", SLICE_COST)
                try:
                    answer = self._slice(loaded.worker, is_first=is_first)
                except ArtifactError as error:
                    problems[loaded.key] = str(error)
                    answers[loaded.key] = {"error": str(error)}
                    continue
                probe_before, probe = probe, probe_ns(self._core)
                answer["probe_ns"] = max(probe_before, probe)
                self._probes_ns.append(answer["probe_ns"])
                workers_s += answer["cpu_s"]
                # what loading took goes with the first round of its process
                answers[loaded.key] = answer | (loaded.scalars if is_first else {})
            self._raw.add_round(number, answers)
        if numbers:
            seconds = time.monotonic() - started
            found = conditions(before, read_counters(), workers_s=workers_s, seconds=seconds)
            self._conditions.append(found)
        return problems

    def conditions(self) -> Conditions | None:
        """Returns what the machine did while calls were timed; None if none were."""
        return summarize_conditions(self._conditions, self._probes_ns) if self._conditions else None

    def enough_quiet(self, keys: Sequence[str], numbers: range) -> bool:
        """Returns whether every row has the quiet rounds that can carry its statistics."""
        done = self._raw.rounds(numbers)
        for key in keys:
            answers = [found[key] for found in done.values() if key in found]
            probes = [answer["probe_ns"] for answer in answers if "probe_ns" in answer]
            fastest = min([*self._probes_ns, *probes], default=0)
            if sum(probe <= MAX_QUIET * fastest for probe in probes) < MIN_ROUNDS:
                return False
        return True

    def _slice(self, worker: WorkerProcess, *, is_first: bool) -> dict[str, Any]:
        settings = self._settings
        return worker.ask(
            "time",
            samples=-(-settings.samples // settings.rounds),
            warm_up_ns=FIRST_WARM_UP_NS if is_first else WARM_UP_NS,
            limit_ns=int(settings.max_seconds * 1e9 / settings.rounds),
            core=self._core,
        )


def shuffled(workers: Sequence[Loaded], number: int) -> list[Loaded]:
    """Returns the workers in an order of this round's own, the same whenever it is asked for.

    At random, lest a disturbance that comes and goes regularly always meet the same rows.
    """
    return [workers[index] for index in np.random.RandomState(number).permutation(len(workers))]
