"""The ranges of a TFLite model's activations, where they are not their extremes.

TensorFlow's quantizer reads the ranges from the float file, where its calibrator left the extremes
over all examples. Those of single examples tell more: one odd example widens a range for all.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from export.convert.calibration import tflite_values

CLIPPED_PERCENT = 1.0  # of the examples, on each side


def example_extremes(
    calibrated: bytes, inputs: Mapping[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns the lowest and highest value of each activation, example by example.

    Args:
        calibrated: a float `.tflite` model; where its batch is fixed, so many are one example.
        inputs: (N, …) by name.

    Returns:
        (N,) and (N,) float32 by the tensor's name.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for values in tflite_values(calibrated, inputs):
        for name, value in values.items():
            if value.size:
                found.setdefault(name, []).append((value.min(), value.max()))
    both = {name: np.asarray(pairs, np.float32).T for name, pairs in found.items()}
    return {name: (lows, highs) for name, (lows, highs) in both.items()}


def set_percentiles(
    tree: Any,
    extremes: Mapping[str, tuple[np.ndarray, np.ndarray]],
    inputs: Mapping[str, np.ndarray],
) -> None:
    """Has the ranges of a calibrated float model leave out the odd examples.

    All but a hundredth of the examples stay within a range, on each side. The inputs keep the
    extremes over all examples: what a caller gives is not to be clipped.

    Args:
        tree: the model, with the extremes over all examples as its tensors' ranges.
        extremes: as `example_extremes` returns them.
        inputs: the model's inputs, by name.
    """
    for tensor in tree.subgraphs[0].tensors:
        name, found = tensor.name.decode(), tensor.quantization
        if name in extremes and name not in inputs and found is not None and found.min is not None:
            lows, highs = extremes[name]
            found.min = np.percentile(lows, [CLIPPED_PERCENT]).astype(np.float32)
            found.max = np.percentile(highs, [100 - CLIPPED_PERCENT]).astype(np.float32)
