"""Tries the mistakes that deployments make with a model's inputs, to name the one that was made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmark.measure.worker.process import WorkerProcess

MAX_EXAMPLES = 500
MIN_AGREEMENT = 0.99  # under which changed inputs are tried


class Classes(Protocol):
    """What the main output tells: the class of each example."""

    @property
    def name(self) -> str:
        """The output's name."""

    @property
    def reference(self) -> np.ndarray:
        """The Keras model's outputs, (N, …)."""

    def predicted(self, outputs: np.ndarray, /) -> np.ndarray | None:
        """Returns the class of each example, (N,) integers; None where outputs tell no classes."""


def changed_inputs(inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Returns inputs changed in the ways that deployments get wrong, by what each would mean.

    Args:
        inputs: (N, …) float32, preprocessed.
    """
    span = 255.0
    changed = {
        "divided by 255 (normalization missing)": inputs / span,
        "multiplied by 255 (normalization doubled, or in the graph already)": inputs * span,
        "stretched from 0…1 to −1…1": inputs * 2 - 1,
        "inverted (black and white swapped)": inputs.max() + inputs.min() - inputs,
    }
    if inputs.ndim >= 3 and inputs.shape[1] == inputs.shape[2]:
        changed["transposed (axis order changed)"] = np.swapaxes(inputs, 1, 2)
    if inputs.ndim >= 4 and inputs.shape[-1] in (3, 4):
        changed["reversed in their channels (RGB and BGR swapped)"] = inputs[..., ::-1]
    return {name: np.ascontiguousarray(values, np.float32) for name, values in changed.items()}


def try_changes(
    worker: WorkerProcess, folder: Path, outputs: Mapping[str, Path], main: Classes
) -> dict[str, Any]:
    """Returns the agreement with changed inputs, of a row that does not agree, as a JSON object.

    Args:
        worker: the row's, of a model with one input of real numbers.
        folder: where the worker may write.
        outputs: an `.npy` file of each output, (N, …), by its name.
        main: the output that is compared.

    Raises:
        ArtifactError: the worker died.
    """
    found: dict[str, float] = {}
    count = 0
    expected = main.predicted(main.reference)
    predicted = main.predicted(np.load(outputs[main.name], mmap_mode="r"))
    if expected is not None and float(np.mean(predicted == expected)) < MIN_AGREEMENT:
        changes = worker.ask("experiments", path=str(folder), output=main.name)["changes"]
        for number, change in enumerate(changes):
            changed = main.predicted(np.load(folder / f"changed{number}.npy"))
            if changed is not None:
                count = len(changed)
                found[change] = float(np.mean(changed == expected[:count]))
    return {"experiments": found, "experiment_examples": count}
