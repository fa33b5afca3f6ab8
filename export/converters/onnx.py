"""tf2onnx, and ONNX Runtime's static quantization on top of it. Heavy."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.formats import Format
from export.source import SourceModel
from train.model import INPUT_NAME

OPSET = 18
# Softmax stays float: its int8 kernel could wrap 127 to -128 (onnxruntime issue 29727).
QUANTIZED_OPERATORS = ("Gemm", "MatMul", "Add", "Relu", "Reshape", "Conv")


def convert(entry: Format, source: SourceModel) -> bytes:
    """Returns the model as an `.onnx` file of the format's precisions, open batch.

    int8 is static quantization in QDQ form, weights per channel and symmetric, activations
    from the representative dataset:
    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    model = to_onnx(entry, source)
    if entry.activations == "int8":
        model = _quantize(model, source)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def to_onnx(entry: Format, source: SourceModel) -> onnx.ModelProto:
    """Returns the float32 model.

    `from_function`, because tf2onnx's `from_keras` fails on Keras 3 models with a KeyError.
    """
    signature = [source.signature(entry.batch)]
    serve = tf.function(source.serve, input_signature=signature)
    tf2onnx.utils.INTERNAL_NAME = 1  # a counter of this process, part of the nodes' names
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(serve, input_signature=signature, opset=OPSET)
    model.graph.name = "model"  # tf2onnx puts a counter of TensorFlow into it
    model.graph.doc_string = ""
    if entry.batch is None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return model


class _Samples(CalibrationDataReader):
    def __init__(self, inputs: np.ndarray) -> None:
        self._samples: Iterator[np.ndarray] = iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        sample = next(self._samples, None)
        return None if sample is None else {INPUT_NAME: sample[np.newaxis]}


def _quantize(model: onnx.ModelProto, source: SourceModel) -> onnx.ModelProto:
    original, prepared, quantized = (
        Path(source.folder, f"{name}.onnx") for name in ("float32", "prepared", "int8")
    )
    onnx.save(model, original)
    quant_pre_process(original, prepared)
    quantize_static(
        prepared,
        quantized,
        _Samples(source.representative.inputs),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(QUANTIZED_OPERATORS),
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    return onnx.load(quantized)
