"""Every example through every worker, as many at a time as there are cores."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.experiments import Classes, try_changes
from benchmark.measure.variants import Variant
from benchmark.measure.worker.process import WorkerProcess
from train.common.environment import available_cores
from train.common.errors import ArtifactError
from train.common.reference_outputs import ReferenceOutputs

EXAMPLES_COST = 10.0  # of a whole run, where one round of timed calls costs 1
OnStep = Callable[[str, float], None]


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


def score(
    workers: Sequence[Loaded],
    raw: PartialResults,
    reference: ReferenceOutputs,
    main: Classes,
    on_step: OnStep,
) -> dict[str, str]:
    """Keeps the outputs of each worker, and what changed inputs do to those that do not agree.

    Args:
        workers: of the rows.
        raw: where what they give is kept.
        reference: the Keras model's outputs.
        main: the output that tells whether a row agrees.
        on_step: is told how far each worker is, and what that cost.

    Returns:
        Why a row could not be scored, by its key.
    """
    cores: SimpleQueue[int] = SimpleQueue()
    for core in available_cores():
        cores.put(core)

    def score_one(loaded: Loaded) -> str | None:
        core = cores.get()
        try:
            scratch = raw.scratch(loaded.key).resolve()
            answer = _run_all(loaded, scratch, core, len(reference), on_step)
            files = {name: scratch / f"{i}.npy" for i, name in enumerate(answer["outputs"])}
            check_outputs(files, reference)
            tried: dict[str, Any] = {"experiments": {}, "experiment_examples": 0}
            if len(reference.inputs) == 1 and reference.inputs[0].is_float:
                tried = try_changes(loaded.worker, scratch, files, main)
            raw.add_row(loaded.key, {**loaded.scalars, **answer, **tried}, scratch)
        except ArtifactError as error:
            return str(error)
        finally:
            cores.put(core)
        return None

    pool = ThreadPoolExecutor(len(available_cores()))
    try:
        problems = list(pool.map(score_one, workers))
    finally:  # does not wait: whoever is interrupted ends the workers, and so the threads
        pool.shutdown(wait=False, cancel_futures=True)
    found = zip(workers, problems, strict=True)
    return {loaded.key: problem for loaded, problem in found if problem is not None}


def _run_all(
    loaded: Loaded, folder: Path, core: int, total: int, on_step: OnStep
) -> dict[str, Any]:
    """Returns what a worker says when it has run every example; tells how far it is."""
    told = 0
    loaded.worker.send("outputs", path=str(folder), core=core)
    while True:
        answer = loaded.worker.receive()
        done = answer.get("done", total)
        cost = EXAMPLES_COST * (done - told) / total
        on_step(f"{loaded.key}: {done:,} of {total:,} examples", cost)
        told = done
        if "done" not in answer:
            return answer


def check_outputs(files: Mapping[str, Path], reference: ReferenceOutputs) -> None:
    """Checks that outputs have the shapes of the Keras model's.

    Args:
        files: an `.npy` file of each output, (N, …), by its name.
        reference: the Keras model's.

    Raises:
        ArtifactError: one is missing or of another shape.
    """
    for name, wanted in reference.outputs.items():
        found = np.load(files[name], mmap_mode="r").shape if name in files else None
        if found != wanted.shape:
            raise ArtifactError(
                f"got output {name!r} of shape {found}, expected {wanted.shape}, the Keras "
                "model's; export the model again"
            )
