"""ONNX Runtime's quantizers.

https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.registry import IntegerOpsRegistry
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.convert.calibrate.bias import NothingToCorrectError
from export.convert.calibrate.rounding import Roundings
from export.convert.onnx.calibrate.bias import correct_biases
from export.convert.onnx.calibrate.equalize import equalized
from export.convert.onnx.calibrate.ranges import (
    write_least_squares,
    write_percentiles,
    write_widened,
)
from export.convert.onnx.calibrate.rounding import round_by_inputs
from export.convert.onnx.graph.arrange import bodies, delete, order
from export.convert.onnx.graph.concat import one_relu_behind
from export.convert.onnx.recurrent import weights as recurrent
from export.convert.onnx.transposed import bears_8_bits, store_in_8_bits
from export.convert.source import SourceModel
from export.formats.calibration import EQUALIZED, ROUNDED, WIDENED, parts_of
from train.common.files.artifact import file_sha256

# Softmax stays float: its int8 kernel could wrap 127 to -128 (onnxruntime issue 29727), and so
# do the logits that it reads.
QUANTIZED_OPERATORS = (
    *("Gemm", "MatMul", "Add", "Relu", "Reshape", "Conv", "Clip"),
    *("Gather", "ConvTranspose"),  # embeddings, and weights alone: there is no kernel for integers
)
# An LSTM's weights are stored in 8 bits like those of other recurrent operators: with integers that
# ONNX Runtime multiplies them by, its outputs are 20 dB less exact.
DYNAMIC_OPERATORS = tuple(kind for kind in IntegerOpsRegistry if kind != "LSTM")
FLOAT_OUTPUTS = ("Gemm",)
HISTOGRAMS = (CalibrationMethod.Percentile, CalibrationMethod.Entropy)
EXAMPLES = 16
HISTOGRAM_BYTES = 256 << 20
CALIBRATION: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "min-max": (CalibrationMethod.MinMax, {}),
    "moving-average": (CalibrationMethod.MinMax, {"CalibMovingAverage": True}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
    "entropy": (CalibrationMethod.Entropy, {}),
    "mse": (CalibrationMethod.MinMax, {}),  # of ranges that are given, as the next one
    **dict.fromkeys(WIDENED, (CalibrationMethod.MinMax, {})),
    EQUALIZED: (CalibrationMethod.MinMax, {}),
}
WRITERS: dict[str, Callable[[Path, Mapping[str, np.ndarray], Path], None]] = {
    "mse": write_least_squares,
    **{method: partial(write_widened, factor=factor) for method, factor in WIDENED.items()},
}
DEQUANTIZE = "DequantizeLinear"
CONVERSIONS = (DEQUANTIZE, "QuantizeLinear")


def quantize(
    model: onnx.ModelProto,
    source: SourceModel,
    method: str | None,
    scheme: str,
    float_operators: Collection[str] = (),
) -> onnx.ModelProto:
    """Returns the model with weights of 8 bits, and activations too if it is calibrated.

    Args:
        model: the float32 model.
        source: what it was made of, with the calibration inputs.
        method: how ranges of activations come from these; None to leave ranges to the run.
        scheme: how weights are stored, as `settings.WEIGHT_SCHEMES` names it.
        float_operators: names of nodes that a calibrated model leaves in float.
    """
    dtype, _, granularity = scheme.partition(" per ")
    weights: dict[str, Any] = {
        "weight_type": QuantType.QUInt8 if dtype == "uint8" else QuantType.QInt8,
        "per_channel": granularity == "channel",
        "reduce_range": dtype == "7-bit",
    }
    prepared, quantized = prepare(model, source), source.folder / "int8.onnx"
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value  # 0 if it is open
    if method is None:
        quantize_dynamic(
            prepared, quantized, op_types_to_quantize=list(DYNAMIC_OPERATORS), **weights
        )
        examples = source.some_examples(batch or EXAMPLES)
        spared = not bears_8_bits(model, examples)
        model = _in_order(quantized)
        if not spared:
            store_in_8_bits(model.graph)
        recurrent.store_in_8_bits(model.graph)
        return _slim(model)
    kind, correction = parts_of(method)
    if kind == EQUALIZED:
        prepared = equalized(prepared, source.representative.inputs)
    (calibration, extra), write = CALIBRATION[kind], WRITERS.get(kind)
    if calibration in HISTOGRAMS:
        needed = _kept_bytes(onnx.load(prepared), len(source.representative))
        if needed > HISTOGRAM_BYTES and kind == "percentile":
            (calibration, extra), write = CALIBRATION["min-max"], write_percentiles
        elif needed > HISTOGRAM_BYTES:
            raise ValueError(
                f"{method} keeps {needed >> 20:,} MiB of activations, expected at most "
                f"{HISTOGRAM_BYTES >> 20}; use percentile or fewer --calibration-samples"
            )
    # for all schemes of weights
    ranges = source.folder / f"ranges-{kind}-{file_sha256(prepared)[:16]}.json"
    if write is not None and not ranges.exists():
        write(prepared, source.representative.inputs, ranges)
    quantize_static(
        prepared,
        quantized,
        _Samples(source.representative.each(batch or None)),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(QUANTIZED_OPERATORS),
        nodes_to_exclude=list(float_operators),
        activation_type=weights["weight_type"],
        calibrate_method=calibration,
        calibration_cache_path=ranges,
        extra_options={"OpTypesToExcludeOutputQuantization": list(FLOAT_OUTPUTS), **extra},
        **weights,
    )
    model = _in_order(quantized)
    if correction is not None:
        try:
            _correct(model, correction, prepared, source, seven_bits=weights["reduce_range"])
        except NothingToCorrectError:
            if not float_operators:  # which all layers may be
                raise
    _without_zero_points_of_biases(model.graph)
    one_relu_behind(model.graph)
    recurrent.store_in_8_bits(model.graph)
    return _slim(model)


def _correct(
    model: onnx.ModelProto,
    correction: str,
    prepared: Path,
    source: SourceModel,
    *,
    seven_bits: bool,
) -> None:
    """Corrects weights or biases of a quantized model, in place.

    Raises:
        NothingToCorrectError: no layer has what is corrected.
    """
    inputs = source.representative.inputs
    if correction == ROUNDED:
        known = source.roundings.setdefault(prepared, Roundings())
        round_by_inputs(model, onnx.load(prepared), inputs, known, seven_bits=seven_bits)
    else:
        correct_biases(model, onnx.load(prepared), inputs)


def prepare(model: onnx.ModelProto, source: SourceModel) -> Path:
    """Returns a file with the float32 model as the quantizers take it, with inferred shapes."""
    original = source.folder / "float32.onnx"
    onnx.save(model, original)
    prepared = source.folder / f"prepared-{file_sha256(original)[:16]}.onnx"
    if not prepared.exists():
        # Without symbolic shape inference: on a valid operator that it lacks it raises a bare
        # Exception and leaves its model in the current folder; ONNX's own inference suffices.
        quant_pre_process(original, prepared, skip_symbolic_shape=True)
    return prepared


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Iterator[dict[str, np.ndarray]]) -> None:
        self._samples = samples

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._samples, None)


def _kept_bytes(model: onnx.ModelProto, samples: int) -> int:
    """Returns how many bytes of activations a calibrator by histograms keeps.

    ONNX Runtime makes histograms of all values of all samples at once, which for 500 pictures and a
    network of medium size are tens of gigabytes.
    """
    numbers = sum(
        math.prod(size.dim_value or 1 for size in value.type.tensor_type.shape.dim)
        for value in model.graph.value_info
    )
    return 4 * numbers * samples


def _in_order(path: Path) -> onnx.ModelProto:
    """Returns a quantizer's file; they put loops before what only their bodies read."""
    model = onnx.load(path)
    if any(True for node in model.graph.node for _ in bodies(node)):
        order(model.graph)
    return model


def _slim(model: onnx.ModelProto) -> onnx.ModelProto:
    """Removes what no runtime reads, a fifth of a small file: shapes and names of conversions."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    for node in model.graph.node:
        if node.op_type in CONVERSIONS:
            node.name = ""
    return model


def _without_zero_points_of_biases(graph: onnx.GraphProto) -> None:
    """Removes the zero points of biases, four bytes for each channel, which are zero by default."""
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    unused = set()
    for node in graph.node:
        if node.op_type == DEQUANTIZE and types.get(node.input[0]) == onnx.TensorProto.INT32:
            unused |= set(node.input[2:])
            del node.input[2:]
    delete(graph.initializer, [i for i, t in enumerate(graph.initializer) if t.name in unused])
