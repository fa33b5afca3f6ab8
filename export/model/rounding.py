"""What a model's own float32 rounding does to its outputs."""

from collections.abc import Iterator, Mapping

import numpy as np

from export.model.double import predict_double
from export.model.loaded import LoadedModel

SEED = 0


def rounded_otherwise(
    model: LoadedModel,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    batch_size: int,
) -> Iterator[Mapping[str, np.ndarray]]:
    """Yields outputs that are as right as the model's own, as far as float32 can tell.

    First those of inputs that are moved by one unit in the last place, up or down, the outputs
    moved by one more; then, where TensorFlow can, those computed in float64. A model that takes
    the difference of large numbers lies far from both, and another runtime as far from it.

    Args:
        model: the model.
        inputs: (N, …) by name, as it takes them.
        outputs: (N, …) by name, what it gives for them.
        batch_size: how many examples are computed at a time.
    """
    random = np.random.RandomState(SEED)
    moved = model.predict(
        {name: _one_step_off(values, random) for name, values in inputs.items()}, batch_size
    )
    yield {name: _further(values, outputs[name]) for name, values in moved.items()}
    exact = predict_double(model, inputs, batch_size)
    if exact is not None:
        yield exact


def _one_step_off(values: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    towards = np.where(random.random_sample(values.shape) < 0.5, -np.inf, np.inf)
    moved: np.ndarray = np.nextafter(values, towards.astype(values.dtype))
    return moved


def _further(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    away = np.where(values < reference, -1, 1).astype(values.dtype)
    moved: np.ndarray = values + away * np.spacing(np.abs(reference))
    return moved
