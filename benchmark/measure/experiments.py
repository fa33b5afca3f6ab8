"""A row's outputs as soon as they are there: of the right shapes, about the right ones? Light."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.judge.symptoms import EXPERIMENT_BELOW
from benchmark.judge.task import Task
from benchmark.measure.process import WorkerProcess
from train.common.errors import ArtifactError
from train.common.record import ReferenceOutputs


def check_outputs(files: Mapping[str, Path], reference: ReferenceOutputs) -> None:
    """Checks that outputs are of the shapes that the Keras model's are of.

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


def try_changes(
    worker: WorkerProcess, files: Mapping[str, Path], reference: ReferenceOutputs, main: Task
) -> dict[str, Any]:
    """Returns the agreement with changed inputs, of a row that does not agree, as a JSON object.

    Of a model with one input of real numbers, by the classes of its main output.

    Args:
        worker: the row's.
        files: as in `check_outputs`.
        reference: the Keras model's.
        main: what the main output is judged as.

    Raises:
        ArtifactError: the worker died.
    """
    nothing = {"experiments": {}, "experiment_examples": 0}
    expected, specs = main.predicted(main.reference), reference.inputs
    if len(specs) > 1 or not specs[0].is_float or expected is None:
        return nothing
    found = main.predicted(np.load(files[main.name], mmap_mode="r"))
    if float(np.mean(found == expected)) >= EXPERIMENT_BELOW:
        return nothing
    asked = worker.ask("experiments", output=main.name, threshold=main.threshold)
    count = asked["examples"]
    return {
        "experiments": {
            what: float(np.mean(np.array(classes) == expected[:count]))
            for what, classes in asked["predicted"].items()
        },
        "experiment_examples": count,
    }
