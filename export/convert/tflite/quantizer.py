"""ai-edge-quantizer on a float `.tflite`: int4 weights, moving-average calibration.

https://github.com/google-ai-edge/ai-edge-quantizer
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
from ai_edge_quantizer import qtyping, quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.utils import tfl_interpreter_utils as utils

from export.convert.source import SourceModel
from export.convert.tflite.flatbuffer import finish
from export.formats import Weights

ACTIVATION_BITS = 8
SIGNATURE = "serving_default"
DROPPED = "Tensor data is null"


@contextmanager
def _without_xnnpack() -> Iterator[None]:
    """Calibrates on LiteRT's own kernels.

    XNNPACK leaves out a result that nothing reads, such as a gate of an LSTM's first step, and the
    quantizer, which offers no choice of kernels, reads every tensor there is.
    """
    plain = utils.create_tfl_interpreter

    def create(*arguments: Any, **options: Any) -> Any:
        return plain(*arguments, **{**options, "use_xnnpack": False})

    with mock.patch.object(utils, "create_tfl_interpreter", create):
        yield


def quantize_static(model: bytes, weights: Weights, source: SourceModel) -> bytes:
    """Returns a float32 `.tflite` model quantized to int8 activations, input and output.

    int8 weights are per channel by their extremes. int4 weights are per layer by least mean
    squared error, those of the last layer int8: few, and each matters; channel-wise int4 is
    what TFLM refuses. Activation ranges are the quantizer's moving averages of the extremes.

    Args:
        model: a float32 TFLite model with named input and output.
        weights: `int8` or `int4`.
        source: the model that it is of, with its representative dataset.
    """
    recipe = recipe_manager.RecipeManager()
    granularity = qtyping.QuantGranularity
    per_layer = granularity.TENSORWISE if weights == "int4" else granularity.CHANNELWISE
    operators = qtyping.TFLOperationName

    def add(operator: object, bits: int, algorithm: AlgorithmName, where: str = ".*") -> None:
        recipe.add_static_config(
            regex=where,  # matches the names of output tensors
            operation_name=operator,
            activation_num_bits=ACTIVATION_BITS,
            weight_num_bits=bits,
            weight_granularity=per_layer,
            algorithm_key=algorithm,
        )

    add(operators.ALL_SUPPORTED, 8, AlgorithmName.MIN_MAX_UNIFORM_QUANT)
    outputs = [spec.name for spec in source.outputs]
    if weights == "int4":
        add(operators.FULLY_CONNECTED, 4, AlgorithmName.MSE)
        last = f".*({'|'.join(map(re.escape, outputs))}).*"
        add(operators.FULLY_CONNECTED, 8, AlgorithmName.MIN_MAX_UNIFORM_QUANT, last)
    worker = quantizer.Quantizer(bytearray(model), recipe.get_quantization_recipe())
    examples = {SIGNATURE: list(source.representative.each())}
    try:
        ranges = worker.calibrate(examples, num_threads=1)
    except ValueError as error:
        if DROPPED not in str(error):
            raise
        with _without_xnnpack():
            ranges = worker.calibrate(examples, num_threads=1)
    # The inputs' extremes are known; their moving average would miss 1/255 by a little.
    for name, values in source.representative.inputs.items():
        for edge, value in (("min", values.min()), ("max", values.max())):
            if name in ranges:
                ranges[name][edge] = np.full_like(ranges[name][edge], value)
    quantized = bytes(worker.quantize(ranges).quantized_model)
    return finish(quantized, inputs=[spec.name for spec in source.inputs], outputs=outputs)
