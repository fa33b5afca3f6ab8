"""tf2onnx, and ONNX Runtime's quantizers on top of it.

https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

import ctypes
import gc
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from tf2onnx import optimizer

# imported here, not when first used: a module of it takes a number of its counter of names
from tf2onnx.convert import from_function
from tf2onnx.graph import Node

from export.convert.source import SourceModel
from export.formats import Format
from export.settings import Settings

# Softmax stays float: its int8 kernel could wrap 127 to -128 (onnxruntime issue 29727), and so
# do the logits that it reads.
QUANTIZED_OPERATORS = ("Gemm", "MatMul", "Add", "Relu", "Reshape", "Conv", "Clip")
FLOAT_OUTPUTS = ("Gemm",)
LOOP = "Loop"  # what a GRU becomes; its graph's weights are not quantized
BITS = 8
HISTOGRAMS = (CalibrationMethod.Percentile, CalibrationMethod.Entropy)
HISTOGRAM_BYTES = 256 << 20
CALIBRATION: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "min-max": (CalibrationMethod.MinMax, {}),
    "moving-average": (CalibrationMethod.MinMax, {"CalibMovingAverage": True}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
    "entropy": (CalibrationMethod.Entropy, {}),
}


def convert(entry: Format, settings: Settings, method: str | None, source: SourceModel) -> bytes:
    """Returns the model as an `.onnx` file of the format's precisions.

    int8 is static quantization in QDQ form, `dynamic` leaves the ranges of activations to the
    run; weights are per channel and symmetric. float16 keeps float32 input and output.

    Args:
        entry: the format.
        settings: its options.
        method: how ranges come from the representative dataset; None where none is needed.
        source: the model.
    """
    model = to_onnx(settings, source, unroll=entry.calibrated)
    if entry.activations == "dynamic" and any(node.op_type == LOOP for node in model.graph.node):
        model = to_onnx(settings, source, unroll=True)  # an LSTM is an operator that quantizes
    if entry.weights == "float16":
        half = OnnxModel(convert_float_to_float16(model, keep_io_types=True))
        half.topological_sort()  # the input's cast is appended out of order
        model = half.model
    elif entry.weights == "int8":
        model = _quantize(model, source, method, reduce_range=min(settings.weight_bits) < BITS)
    return bytes(model.SerializeToString(deterministic=True))


def to_onnx(settings: Settings, source: SourceModel, *, unroll: bool) -> onnx.ModelProto:
    """Returns the float32 model, its recurrent layers written out step by step if `unroll`.

    It is made once and kept in a file, which each format changes in its own way.
    """
    key = settings.batch, settings.opset, unroll and bool(source.model.recurrent)
    if key not in source.onnx_files:
        path = source.folder / f"float32-{len(source.onnx_files)}.onnx"
        onnx.save(_to_onnx(settings, source, unroll=unroll), path)
        source.onnx_files[key] = path
    return onnx.load(source.onnx_files[key])


def _to_onnx(settings: Settings, source: SourceModel, *, unroll: bool) -> onnx.ModelProto:
    """Returns the float32 model.

    `from_function`, because tf2onnx's `from_keras` fails on Keras 3 models with a KeyError.

    Raises:
        ValueError: the model has an operator that ONNX lacks; it is named.
    """
    signature = source.signature(settings.batch)
    serve = tf.function(source.serve, input_signature=signature)
    with source.model.unrolled(unroll):
        # Functions in it become part of its graph: Keras compiles grouped convolutions by XLA.
        tf.config.run_functions_eagerly(True)
        try:
            function = serve.get_concrete_function(*signature)
        finally:
            tf.config.run_functions_eagerly(False)
        model = _from_function(serve, signature, settings.opset)
        _store_captured(model, function)
    _check_operators(model)
    _order(model.graph.input, [spec.name for spec in source.inputs])
    _order(model.graph.output, [spec.name for spec in source.outputs])
    shapes = {spec.name: spec.shape for spec in (*source.inputs, *source.outputs)}
    model.graph.name = "model"  # tf2onnx puts a counter of TensorFlow into it
    model.graph.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        _set_shape(value, shapes[value.name], settings.batch)
    return model


def _from_function(
    serve: Any, signature: list[tf.TensorSpec], opset: int | None
) -> onnx.ModelProto:
    """Calls tf2onnx, and keeps it from keeping dozens of copies of the weights.

    Each of its optimizers, a dozen and twice over, writes the weights into the same protobuf
    messages anew, which give nothing back before they are deleted. And each gets a copy of the
    graph, to go on without one that fails, whose cycles Python frees late. 100 MB made 9 GB.

    Args:
        serve: the model as a `tf.function`.
        signature: its inputs.
        opset: of the ONNX model.
    """
    update, optimizers = Node.update_proto, optimizer._optimizers

    def update_anew(node: Any, *arguments: Any) -> None:
        before = node._op
        node._op = onnx.NodeProto(name=before.name, op_type=before.op_type, domain=before.domain)
        update(node, *arguments)

    def after_release(made: Callable[[], Any]) -> Callable[[], Any]:
        def make() -> Any:
            release_memory()
            return made()

        return make

    tf2onnx.utils.INTERNAL_NAME = 1  # a counter of this process, part of the nodes' names
    gc.freeze()  # else each release looks through all of TensorFlow, for a quarter of a second
    try:
        with (
            mock.patch.object(Node, "update_proto", update_anew),
            mock.patch.dict(optimizers, {n: after_release(made) for n, made in optimizers.items()}),
        ):
            model: onnx.ModelProto
            model, _ = from_function(
                serve,
                input_signature=signature,
                opset=opset,
                custom_op_handlers={"Erfc": (_without_erfc, [])},
            )
    finally:
        gc.unfreeze()
    return model


def _order(values: Any, names: list[str]) -> None:
    """Brings a graph's inputs or outputs, which tf2onnx sorts by name, into an order."""
    ordered = sorted(values, key=lambda value: names.index(value.name))
    del values[:]
    values.extend(ordered)


def _store_captured(model: onnx.ModelProto, function: Any) -> None:
    """Stores constants that the model's function captured, such as the means of a Normalization.

    tf2onnx takes them for inputs.
    """
    captured = {inner.name: outer for outer, inner in function.graph.captures}
    for value in list(model.graph.input):
        if value.name in captured:
            model.graph.input.remove(value)
            stored = onnx.numpy_helper.from_array(captured[value.name].numpy(), value.name)
            model.graph.initializer.append(stored)


def _without_erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Erfc, which ONNX lacks and Keras's GELU is written with, 1 - Erf."""
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    one = context.make_const(tf2onnx.utils.make_name(name), np.ones((), np.float32)).output[0]
    erf = context.make_node("Erf", node.input, shapes=[shape], dtypes=[dtype]).output[0]
    context.remove_node(name)
    context.make_node("Sub", [one, erf], outputs=node.output, shapes=[shape], dtypes=[dtype])


def _set_shape(
    value: onnx.ValueInfoProto, shape: tuple[int | None, ...], batch: int | None
) -> None:
    """Writes what is known of a shape, which tf2onnx's inference may have missed."""
    dimensions = value.type.tensor_type.shape.dim
    del dimensions[:]
    for axis, size in enumerate((batch, *shape[1:])):
        dimension = dimensions.add()
        if size is not None:
            dimension.dim_value = size
        else:
            dimension.dim_param = "batch" if axis == 0 else f"{value.name}_{axis}"


def _check_operators(model: onnx.ModelProto) -> None:
    """tf2onnx passes operators that it does not know on as they are, such as Erfinv."""
    for node in model.graph.node:
        if not node.domain and not onnx.defs.has(node.op_type):
            raise ValueError(f"op {node.op_type} is not supported by ONNX")


def release_memory() -> None:
    """Returns to the system what converters have freed.

    Their graphs are cycles, which Python frees late; what glibc's allocator was given back it
    keeps. After a format or two that is as much again as the largest of them needs.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        if trim is not None:
            trim(0)


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Iterator[dict[str, np.ndarray]]) -> None:
        self._samples = samples

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._samples, None)


def _check_memory(model: onnx.ModelProto, samples: int, method: str) -> None:
    """Raises ValueError where a calibrator would keep more activations than it may.

    ONNX Runtime makes histograms of all values of all samples at once, which for 500 pictures and a
    network of medium size are tens of gigabytes.
    """
    numbers = sum(
        math.prod(size.dim_value or 1 for size in value.type.tensor_type.shape.dim)
        for value in model.graph.value_info
    )
    needed = 4 * numbers * samples
    if needed > HISTOGRAM_BYTES:
        raise ValueError(
            f"{method} keeps {needed >> 20:,} MiB of activations, expected at most "
            f"{HISTOGRAM_BYTES >> 20}; use min-max or fewer --calibration-samples"
        )


def _quantize(
    model: onnx.ModelProto, source: SourceModel, method: str | None, *, reduce_range: bool
) -> onnx.ModelProto:
    original, prepared, quantized = (
        Path(source.folder, f"{name}.onnx") for name in ("float32", "prepared", "int8")
    )
    onnx.save(model, original)
    # Without symbolic shape inference: on a valid operator that it lacks it raises a bare Exception
    # and leaves its model in the current folder; ONNX's own inference suffices.
    quant_pre_process(original, prepared, skip_symbolic_shape=True)
    if method is None:
        quantize_dynamic(
            prepared,
            quantized,
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
        )
    else:
        calibration, extra = CALIBRATION[method]
        if calibration in HISTOGRAMS:
            _check_memory(onnx.load(prepared), len(source.representative), method)
        quantize_static(
            prepared,
            quantized,
            _Samples(source.representative.each()),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED_OPERATORS),
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=calibration,
            extra_options={"OpTypesToExcludeOutputQuantization": list(FLOAT_OUTPUTS), **extra},
        )
    return onnx.load(quantized)
