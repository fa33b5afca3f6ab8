"""The ranges of a TFLite model's activations, which TensorFlow's quantizer reads from the file.

Their extremes over all examples, or less: those of single examples tell where one odd example
widens a range for all.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import tflite_values
from export.convert.calibrate.least_squares import EXAMPLES, least_squares_ranges
from export.convert.calibrate.percentiles import percentile_range

CODES = schema.BuiltinOperator
# Whose integer kernels give what they take, some of it, or its mean, in the scale that it has.
ONE_SCALE = {
    *(CODES.AVERAGE_POOL_2D, CODES.CONCATENATION, CODES.EXPAND_DIMS, CODES.GATHER, CODES.PACK),
    *(CODES.PAD, CODES.MAX_POOL_2D, CODES.RESHAPE, CODES.SPLIT, CODES.SQUEEZE, CODES.TRANSPOSE),
}

# The least step of an output by twice the larger step of what is read: its multiplier is below one.
LEAST_STEPS: dict[int, Callable[[float], float]] = {
    CODES.ADD: lambda twice: twice / 2**20,
    CODES.SUB: lambda twice: twice / 2**20,
    CODES.SQUARED_DIFFERENCE: lambda twice: twice**2 / 2**14,
}
MARGIN = 1.01


def quantization(low: float, high: float) -> Any:
    """Returns what tells the quantizer the lowest and the highest value of a tensor."""
    return schema.QuantizationParametersT(
        min=np.asarray([low], np.float32), max=np.asarray([high], np.float32)
    )


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


def set_extremes(tree: Any, extremes: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Has a float model's activations range over what they are on all examples.

    Args:
        tree: the model, changed in place.
        extremes: as `example_extremes` returns them.
    """
    for tensor in tree.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.FLOAT32 and tensor.name.decode() in extremes:
            lows, highs = extremes[tensor.name.decode()]
            tensor.quantization = quantization(float(lows.min()), float(highs.max()))


def set_widened(
    tree: Any, extremes: Mapping[str, tuple[np.ndarray, np.ndarray]], factor: float
) -> None:
    """Has the ranges of a calibrated float model reach beyond what few examples show.

    Args:
        tree: the model, with the extremes over all examples as its tensors' ranges.
        extremes: as `example_extremes` returns them.
        factor: by how much, above 1.
    """
    for tensor in tree.subgraphs[0].tensors:
        found = tensor.quantization
        if tensor.name.decode() in extremes and found is not None and found.min is not None:
            found.min, found.max = found.min * factor, found.max * factor


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
            low, high = percentile_range(*extremes[name])
            found.min, found.max = np.asarray([[low], [high]], np.float32)


def set_least_squares(
    tree: Any,
    calibrated: bytes,
    extremes: Mapping[str, tuple[np.ndarray, np.ndarray]],
    inputs: Mapping[str, np.ndarray],
) -> None:
    """Has the ranges of a calibrated float model leave the least squared error.

    The inputs keep the extremes over all examples.

    Args:
        tree: the model, with the extremes over all examples as its tensors' ranges.
        calibrated: the same as a file.
        extremes: as `example_extremes` returns them.
        inputs: the model's inputs (N, …), by name.
    """
    ends = {
        name: (float(lows.min()), float(highs.max()))
        for name, (lows, highs) in extremes.items()
        if name not in inputs and np.isfinite(lows).all() and np.isfinite(highs).all()
    }
    some = {name: values[:EXAMPLES] for name, values in inputs.items()}
    best = least_squares_ranges(tflite_values(calibrated, some), ends)
    for tensor in tree.subgraphs[0].tensors:
        name, found = tensor.name.decode(), tensor.quantization
        if name in best and found is not None and found.min is not None:
            low, high = best[name]
            found.min, found.max = np.asarray([[low], [high]], np.float32)


def widen_means(tree: Any) -> None:
    """Gives what averages are taken of, and what is put together of them, one range.

    Their kernels have one scale for input and output. Averages vary less than what they are of, and
    TensorFlow's quantizer takes the scale of their concatenation for all of it: it clips the input.

    Args:
        tree: a calibrated float model, changed in place.
    """
    graph = tree.subgraphs[0]
    widened: set[int] = set()
    for operator in graph.operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        sources = {int(number) for number in operator.inputs}
        if code != CODES.AVERAGE_POOL_2D:
            sources = sources & widened if code in ONE_SCALE else set()
        for number in map(int, operator.outputs):
            for source in sources:
                _widen(graph.tensors[number].quantization, graph.tensors[source].quantization)
                widened.add(number)


def widen_vanishing(tree: Any) -> None:
    """Gives differences of what is nearly equal no smaller range than kernels of int8 can scale to.

    They end the process (`QuantizeMultiplierSmallerThanOneExp`) where a step of their inputs is far
    more than the output's range, such as where a normalization is over one channel, which is its
    own mean: https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/lite/kernels/add.cc.

    Args:
        tree: a calibrated float model, changed in place.
    """
    graph = tree.subgraphs[0]
    for operator in graph.operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        if code not in LEAST_STEPS:
            continue
        found, *read = (
            graph.tensors[i].quantization for i in (*operator.outputs, *operator.inputs)
        )
        if found is None or found.min is None:
            continue
        steps = [_step(ranges) for ranges in read if ranges is not None and ranges.min is not None]
        least = MARGIN * LEAST_STEPS[code](2 * max(steps, default=0.0))
        if _step(found) < least:
            found.max = np.minimum(found.min, 0) + np.float32(255 * least)


def _step(ranges: Any) -> float:
    return float(max(ranges.max[0], 0) - min(ranges.min[0], 0)) / 255


def _widen(found: Any, other: Any) -> None:
    if any(ranges is None or ranges.min is None for ranges in (found, other)):
        return
    found.min, found.max = np.minimum(found.min, other.min), np.maximum(found.max, other.max)
