"""TFLite's converter: float and post-training quantization. Heavy.

Schemes: https://ai.google.dev/edge/litert/models/post_training_quantization
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from export.converters.flatbuffer import name_tensors
from export.formats import Format
from export.source import SourceModel
from train.model import INPUT_NAME, OUTPUT_NAME


def convert(entry: Format, source: SourceModel) -> bytes:
    """Returns the model as a `.tflite` file of the format's precisions, batch 1.

    Weights are float32, float16 or int8 (per channel); int8 activations make every operator,
    input and output integer.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(source.saved_model))
    if entry.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if entry.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if entry.activations == "int8":
        converter.representative_dataset = lambda: _samples(source.representative.inputs)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return name_tensors(converter.convert(), inputs=[INPUT_NAME], outputs=[OUTPUT_NAME])


def _samples(inputs: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    for value in inputs:
        yield {INPUT_NAME: value[np.newaxis]}
