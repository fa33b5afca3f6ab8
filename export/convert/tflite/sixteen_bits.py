"""Activations of 16 bits, by TensorFlow's older quantizer."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors

from export.convert.source import SourceModel
from export.formats.settings import Settings


def in_16_bits(
    content: bytes, dtype: tf.DType, settings: Settings, source: SourceModel, *, calibrate: bool
) -> bytes:
    """Returns a float file with activations of 16 bits, of ranges that it finds or that it is told.

    Args:
        content: the file.
        dtype: of inputs and outputs.
        settings: the format's options.
        source: the model.
        calibrate: whether it finds the ranges by itself; else the tensors have them.
    """
    if calibrate:
        content = add_intermediate_tensors(content)
    examples = partial(_examples, source, settings.batch) if calibrate else list
    quantized: bytes = Calibrator(content).calibrate_and_quantize(
        examples, dtype, dtype, allow_float=False, activations_type=tf.int16, bias_type=tf.int64
    )
    return quantized


def _examples(source: SourceModel, batch: int | None) -> Iterator[list[np.ndarray]]:
    """Yields the calibration examples in the order of the inputs.

    By name the calibrator would sort them by the numbers of the tensors.
    """
    for example in source.representative.each(batch):
        yield [example[spec.name] for spec in source.inputs]
