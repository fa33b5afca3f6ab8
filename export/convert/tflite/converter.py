"""TFLite's converter and ai-edge-quantizer: float and quantized `.tflite` files.

Schemes: https://ai.google.dev/edge/litert/models/post_training_quantization
"""

from pathlib import Path

import tensorflow as tf

from export.convert.source import SourceModel
from export.convert.tflite.flatbuffer import finish, has_loops
from export.formats import FORMATS, Format
from export.settings import ExportOptions, Settings, resolve

FLOAT = FORMATS["tflite-float32"]
BUILT_IN_METHOD = "min-max"  # of the converter's quantizer
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
    if entry.recipes:
        from export.convert.finetune import fine_tune

        return _convert(entry, settings, source, fine_tune(source, entry.recipes, settings))
    if entry.calibrated and has_loops(float_twin(source, settings.batch, method)):
        # its calibrator crashes on the loop's graph, and the process with it
        raise ValueError("it has a loop or a condition, which integer formats cannot hold")
    if method == "moving-average":
        from export.convert.tflite.quantizer import quantize_static

        exact = float_twin(source, settings.batch, method)
        return quantize_static(exact, entry.weights, source)
    saved_model = source.saved_model(
        settings.batch, for_integers=entry.calibrated, gates_apart=method == BUILT_IN_METHOD
    )
    return _convert(entry, settings, source, saved_model)


def float_twin(source: SourceModel, batch: int | None, method: str | None) -> bytes:
    """Returns the float32 file, whose tensors bear the names of the integer file's tensors.

    Args:
        source: the model.
        batch: the fixed batch size, or None for an open one.
        method: how the integer file's ranges come from the representative dataset.
    """
    saved_model = source.saved_model(
        batch, for_integers=True, gates_apart=method == BUILT_IN_METHOD
    )
    if saved_model not in source.float_twins:
        options = ExportOptions(batch="dynamic" if batch is None else str(batch))
        settings = resolve([FLOAT], options)[FLOAT.name]
        twin = _convert(FLOAT, settings, source, saved_model, flatten=True)
        source.float_twins[saved_model] = twin
    return source.float_twins[saved_model]


def _convert(
    entry: Format,
    settings: Settings,
    source: SourceModel,
    saved_model: Path,
    *,
    flatten: bool = False,
) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    if entry.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if entry.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if entry.activations in OPERATORS:
        converter.representative_dataset = source.representative.each
        converter.target_spec.supported_ops = [OPERATORS[entry.activations]]
        converter.inference_input_type = tf.as_dtype(settings.io_dtype)
        converter.inference_output_type = tf.as_dtype(settings.io_dtype)
    if "clustered" in entry.recipes:
        converter._experimental_disable_per_channel = True
    content = converter.convert()
    return finish(
        content,
        inputs=[spec.name for spec in source.inputs],
        outputs=[spec.name for spec in source.outputs],
        flatten=flatten,
    )
