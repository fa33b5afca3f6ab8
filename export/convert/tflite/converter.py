"""TFLite's converter and quantizer: float and quantized `.tflite` files.

Schemes: https://ai.google.dev/edge/litert/models/post_training_quantization
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from export.convert.source import SourceModel
from export.convert.tflite.flatbuffer import finish, has_loops, pack, unpack
from export.convert.tflite.four_bits import narrow
from export.convert.tflite.inputs_outputs import INTEGERS, take_out_shared
from export.convert.tflite.ranges import example_extremes, with_percentiles
from export.convert.tflite.rewrites import may_have_loops
from export.formats import Format
from export.settings import Settings

OPERATORS = {
    "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
    "int16": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
}


def convert(entry: Format, settings: Settings, method: str | None, source: SourceModel) -> bytes:
    """Returns the model as a `.tflite` file of the format's precisions.

    Int8 weights have a scale for each channel; where they are clustered, for each layer: else
    sixteen shared values would become sixteen per channel.

    Args:
        entry: the format.
        settings: its options.
        method: how ranges come from the representative dataset; None where none is needed.
        source: the model.
    """
    shared: Mapping[str, str] = {}
    if entry.recipes:
        from export.convert.finetune import fine_tune

        content = _convert(entry, settings, source, fine_tune(source, entry.recipes, settings))
    elif method is None:
        saved_model = source.saved_model(settings.batch, for_integers=False)
        content = _convert(entry, settings, source, saved_model)
    else:
        content, shared = _calibrated(entry, settings, method, source)
    if entry.weights == "int4":
        content = narrow(content, settings.int8_shares[0])
    return _finished(content, source, settings.io_dtype, shared)


def float_twin(source: SourceModel, batch: int | None) -> bytes:
    """Returns the float32 file that integer files are quantized from, with the same tensors.

    Its activations' ranges are their extremes over the representative dataset.

    Args:
        source: the model.
        batch: the fixed batch size, or None for an open one.

    Raises:
        ValueError: it has a loop; the calibrator would crash on it, and the process with it.
    """
    saved_model = source.saved_model(batch, for_integers=True)
    if saved_model not in source.float_twins:
        if may_have_loops(saved_model) and has_loops(_converter(saved_model).convert()):
            raise ValueError("it has a loop or a condition, which integer formats cannot hold")
        converter = _integer_converter(saved_model, source, "int8", batch)
        converter._experimental_calibrate_only = True
        twin = _finished(converter.convert(), source, flatten=True)
        source.float_twins[saved_model] = twin
    return source.float_twins[saved_model]


def _calibrated(
    entry: Format, settings: Settings, method: str, source: SourceModel
) -> tuple[bytes, Mapping[str, str]]:
    """Returns the model quantized to integers, with ranges by a method.

    And the outputs that it lacks, with the inputs or outputs that they are.
    """
    twin = float_twin(source, settings.batch)
    saved_model = source.saved_model(settings.batch, for_integers=True)
    if entry.activations == "int16":  # by an older quantizer, which calibrates by itself
        return _convert(entry, settings, source, saved_model), {}
    if method == "percentile":
        inputs = source.representative.inputs
        if saved_model not in source.extremes:
            source.extremes[saved_model] = example_extremes(twin, inputs)
        twin = with_percentiles(twin, source.extremes[saved_model], inputs)
    tree = unpack(twin)
    shared = take_out_shared(tree, [spec.name for spec in source.outputs])
    if len(shared) == len(source.outputs):
        return twin, {}  # it computes nothing
    dtype = tf.as_dtype(settings.io_dtype)
    content: bytes = pack(tree, len(twin)) if shared else twin
    content = mlir_quantize(content, input_data_type=dtype, output_data_type=dtype)
    return content, shared


def _convert(entry: Format, settings: Settings, source: SourceModel, saved_model: Path) -> bytes:
    if entry.activations in OPERATORS:
        converter = _integer_converter(saved_model, source, entry.activations, settings.batch)
        converter.inference_input_type = tf.as_dtype(settings.io_dtype)
        converter.inference_output_type = tf.as_dtype(settings.io_dtype)
    else:
        converter = _converter(saved_model)
        if entry.weights != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if entry.weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
    converter._experimental_disable_per_channel = "clustered" in entry.recipes
    content: bytes = converter.convert()
    return content


def _converter(saved_model: Path) -> Any:
    return tf.lite.TFLiteConverter.from_saved_model(str(saved_model))


def _integer_converter(
    saved_model: Path, source: SourceModel, activations: str, batch: int | None
) -> Any:
    converter = _converter(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = partial(source.representative.each, batch)
    converter.target_spec.supported_ops = [OPERATORS[activations]]
    return converter


def _finished(
    content: bytes,
    source: SourceModel,
    dtype: str = "float32",
    shared: Mapping[str, str] = MappingProxyType({}),
    *,
    flatten: bool = False,
) -> bytes:
    ranges = None
    if dtype in INTEGERS:
        inputs = source.representative.inputs
        ranges = {name: (float(v.min()), float(v.max())) for name, v in inputs.items()}
    return finish(
        content,
        inputs=[spec.name for spec in source.inputs],
        outputs=[spec.name for spec in source.outputs],
        flatten=flatten,
        shared=shared,
        dtype=dtype,
        ranges=ranges,
    )
