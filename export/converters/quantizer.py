"""ai-edge-quantizer on a float `.tflite`: int4 weights, moving-average calibration. Heavy.

https://github.com/google-ai-edge/ai-edge-quantizer
"""

import numpy as np
from ai_edge_quantizer import qtyping, quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName

from export.converters.flatbuffer import finish
from export.formats import Weights
from train.model import INPUT_NAME, OUTPUT_NAME

ACTIVATION_BITS = 8
SIGNATURE = "serving_default"


def quantize_static(model: bytes, weights: Weights, inputs: np.ndarray) -> bytes:
    """Returns a float32 `.tflite` model quantized to int8 activations, input and output.

    int8 weights are per channel by their extremes. int4 weights are per layer by least mean
    squared error, those of the last layer int8: few, and each matters; channel-wise int4 is
    what TFLM refuses. Activation ranges are the quantizer's moving averages of the extremes.

    Args:
        model: a float32 TFLite model with named input and output.
        weights: `int8` or `int4`.
        inputs: (N, …) float32, the representative dataset.
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
    if weights == "int4":
        add(operators.FULLY_CONNECTED, 4, AlgorithmName.MSE)
        last = f".*{OUTPUT_NAME}.*"
        add(operators.FULLY_CONNECTED, 8, AlgorithmName.MIN_MAX_UNIFORM_QUANT, last)
    worker = quantizer.Quantizer(bytearray(model), recipe.get_quantization_recipe())
    samples = {SIGNATURE: [{INPUT_NAME: value[np.newaxis]} for value in inputs]}
    ranges = worker.calibrate(samples, num_threads=1)
    # The input's extremes are known; their moving average would miss 1/255 by a little.
    for name, value in (("min", inputs.min()), ("max", inputs.max())):
        ranges[INPUT_NAME][name] = np.full_like(ranges[INPUT_NAME][name], value)
    quantized = bytes(worker.quantize(ranges).quantized_model)
    return finish(quantized, inputs=[INPUT_NAME], outputs=[OUTPUT_NAME])
