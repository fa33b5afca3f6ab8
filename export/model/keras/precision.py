"""Has a model compute in float32, whatever it was trained in.

Half precision is how GPUs train (Keras's mixed_float16); TFLite has few kernels of it, and a
reference in half precision is further from the exact outputs than any limit of a float32 file.
https://github.com/tensorflow/tensorflow/issues/46380
Of float64 neither TFLite nor a device has many kernels.
Keras's own quantized layers quantize their inputs by operators that TFLite's converter refuses.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from train.common.errors import ToolkitError

OTHERS = ("float16", "bfloat16", "float64")
FULL = "float32"


def in_float32(model: Any, path: str) -> None:
    """Changes a model of Keras 3 or tf-keras in place: it computes in float32 from now on.

    Variables and constants of other precisions become float32; int8 weights of Keras's quantized
    layers become the numbers that they stand for, and their inputs are quantized no more.

    Args:
        model: the model.
        path: where it came from, for messages.

    Raises:
        ToolkitError: a layer is quantized in another way than to int8; it is named.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.Layer):
            _convert_keras_3(layer, path)
        elif {layer.compute_dtype, layer.variable_dtype} & {*OTHERS}:
            layer._set_dtype_policy(FULL)
        for name, value in list(vars(layer).items()):
            if isinstance(value, tf.Tensor | tf.Variable) and value.dtype.name in OTHERS:
                setattr(layer, name, _converted(value))
        for operation in getattr(layer, "operations", ()):
            if not isinstance(operation, keras.Layer) and getattr(operation, "dtype", 0) in OTHERS:
                operation.dtype = FULL
        for tensor in _symbolic_inputs(layer):
            if tf.as_dtype(tensor.dtype).name in OTHERS:
                declare(tensor, FULL)


def declare(tensor: Any, dtype: str) -> None:
    """Has a model's symbolic input be of another dtype, or Keras would cast to the old one."""
    if isinstance(tensor, keras.KerasTensor):
        tensor._dtype = dtype  # its setter refuses
    else:
        tensor._type_spec = tf.TensorSpec(tensor.shape, dtype, name=tensor.name)


def _convert_keras_3(layer: keras.Layer, path: str) -> None:
    mode = layer.quantization_mode
    if mode == "int8":
        _dequantize(layer)
    elif mode is not None and mode != "float8":  # that one's weights are float32
        raise ToolkitError(
            f"{path}: Keras quantized layer {layer.name!r} to {mode}, expected float weights or "
            "int8; export the model as it was before model.quantize"
        )
    if mode is not None or {layer.compute_dtype, layer.variable_dtype} & {*OTHERS}:
        layer._dtype_policy = keras.DTypePolicy(FULL)
    for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
        if variable.dtype in OTHERS:
            _set(variable, variable.numpy())
    if hasattr(layer, "adapt_mean"):  # of a Normalization, whose constants come of variables
        layer.finalize_state()


def _dequantize(layer: Any) -> None:
    """Gives an int8 layer (Dense, EinsumDense, an embedding) its weights as real numbers."""
    for name, scale in (
        ("_kernel", "kernel_scale"),
        ("_embeddings", "embeddings_scale"),
        ("reverse_embeddings", "reverse_embeddings_scale"),
    ):
        stored = getattr(layer, name, None)
        if stored is None or stored.dtype != "int8":
            continue
        divisor = getattr(layer, scale).numpy().astype(np.float32)
        if name == "_embeddings":
            divisor = divisor[:, np.newaxis]
        elif hasattr(layer, "_adjust_scale_for_dequant"):
            divisor = np.asarray(layer._adjust_scale_for_dequant(divisor))
        _set(stored, stored.numpy() / divisor)


def _set(variable: keras.Variable, value: np.ndarray) -> None:
    variable._dtype = FULL
    variable._initialize(value.astype(np.float32))


def _converted(value: tf.Tensor | tf.Variable) -> tf.Tensor | tf.Variable:
    single = tf.cast(value, tf.float32)
    if isinstance(value, tf.Variable):
        name = value.name.removesuffix(":0")
        return tf.Variable(single, trainable=value.trainable, name=name)
    return single


def _symbolic_inputs(layer: Any) -> list[Any]:
    try:
        return list(layer.inputs or ())
    except AttributeError:  # of a layer that is no model, or of a Sequential without a first shape
        return []
