"""Ranges of an ONNX model's activations that ONNX Runtime has no calibrator for."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.quantize import save_tensors_data

from export.convert.calibrate.calibration import onnx_values
from export.convert.calibrate.least_squares import EXAMPLES, least_squares_ranges
from export.convert.calibrate.percentiles import percentile_range


def write_least_squares(prepared: Path, inputs: Mapping[str, np.ndarray], path: Path) -> None:
    """Writes the ranges of least squared error, as `quantize_static` reads ranges.

    The inputs have their extremes over all examples.

    Args:
        prepared: the float32 model.
        inputs: (N, …) by name.
        path: the file that is written.
    """
    model = onnx.load(prepared)
    extremes = _extremes(model, inputs)
    ends = {
        name: found
        for name, found in extremes.items()
        if name not in inputs and np.isfinite(found).all()
    }
    some = {name: values[:EXAMPLES] for name, values in inputs.items()}
    best = least_squares_ranges(onnx_values(model, _made(model), some), ends)
    _write(extremes | best, path)


def write_percentiles(prepared: Path, inputs: Mapping[str, np.ndarray], path: Path) -> None:
    """Writes ranges that leave out one example in a hundred on each side, as TFLite's do.

    ONNX Runtime's percentiles are of all values at once, which it keeps. The inputs have their
    extremes over all examples.

    Args:
        prepared: the float32 model.
        inputs: (N, …) by name.
        path: the file that is written.
    """
    ranges = {
        name: (min(lows), max(highs)) if name in inputs else percentile_range(lows, highs)
        for name, (lows, highs) in _example_extremes(onnx.load(prepared), inputs).items()
    }
    _write(ranges, path)


def write_widened(
    prepared: Path, inputs: Mapping[str, np.ndarray], path: Path, *, factor: float
) -> None:
    """Writes ranges that reach beyond the extremes, those of the inputs too.

    Args:
        prepared: the float32 model.
        inputs: (N, …) by name.
        path: the file that is written.
        factor: by how much, above 1.
    """
    extremes = _extremes(onnx.load(prepared), inputs)
    _write({name: (low * factor, high * factor) for name, (low, high) in extremes.items()}, path)


def _made(model: onnx.ModelProto) -> list[str]:
    return [name for node in model.graph.node for name in node.output if name]


def _extremes(
    model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]
) -> dict[str, tuple[float, float]]:
    found = _example_extremes(model, inputs)
    return {name: (min(lows), max(highs)) for name, (lows, highs) in found.items()}


def _example_extremes(
    model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]
) -> dict[str, tuple[list[float], list[float]]]:
    """Returns the lowest and the highest value of each example, by tensors of real numbers."""
    extremes: dict[str, tuple[list[float], list[float]]] = {}
    for values in onnx_values(model, _made(model), inputs):
        for name, found in values.items():
            if found.dtype == np.float32 and found.size:
                lows, highs = extremes.setdefault(name, ([], []))
                lows.append(float(found.min()))
                highs.append(float(found.max()))
    return extremes


def _write(extremes: Mapping[str, tuple[float, float]], path: Path) -> None:
    ranges = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in extremes.items()
    }
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, ranges), path)
