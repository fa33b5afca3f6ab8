"""Trains with quantization simulated in the forward pass.

Jacob et al. 2018, https://arxiv.org/abs/1712.05877. tensorflow-model-optimization simulates it
for some kinds of layers. The rest is computed in float meanwhile; the converter takes the ranges
of its values from the representative dataset, as it does without fine-tuning.
"""

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from export.convert.finetune.training import fit
from export.convert.source import SourceModel
from export.model.loaded import batch_size
from train.common.errors import ToolkitError

PEAK_LEARNING_RATE = 3e-5
# By the names of their functions; swish is also silu.
ACTIVATIONS = frozenset({"linear", "relu", "softmax", "sigmoid", "tanh", "swish", "gelu"})
STANDALONE_ACTIVATIONS = ACTIVATIONS | {"relu6"}
# TFLite wants one range for what goes in and what comes out; the library learns two.
ONE_RANGE = frozenset({"AveragePooling1D", "AveragePooling2D", "UpSampling2D"})
Ranges = dict[str, tuple[float, float]]


def quantization_aware(model: Any, source: SourceModel, epochs: int) -> Any:
    """Returns a model whose weights bear quantization, with the ranges of its values.

    These start from the representative dataset; the library starts them at ±6 and moves them by
    a thousandth per step.

    Raises:
        ToolkitError: quantization can be simulated for no layer with weights; one is named.
    """
    chosen = {layer.name for layer in model.layers if _is_supported(layer)}
    weighty = [layer for layer in model.layers if layer.weights]
    if weighty and not any(layer.name in chosen for layer in weighty):
        raise ToolkitError(
            f"layer {weighty[0].name!r} ({type(weighty[0]).__name__}) cannot be quantization-aware "
            "trained by tensorflow-model-optimization; use tflite-int8, which needs no fine-tuning"
        )

    def annotate(layer: Any) -> Any:
        copy = type(layer).from_config(layer.get_config())
        if layer.name in chosen:
            return tfmot.quantization.keras.quantize_annotate_layer(copy)
        return copy

    annotated = tf_keras.models.clone_model(model, clone_function=annotate)
    annotated.set_weights(model.get_weights())
    aware = tfmot.quantization.keras.quantize_apply(annotated)
    _start_ranges(model, aware, source)
    fit(aware, source, epochs, PEAK_LEARNING_RATE)
    return aware


def _is_supported(layer: Any) -> bool:
    registry = tfmot.quantization.keras.default_8bit.Default8BitQuantizeRegistry()
    if type(layer).__name__ in ONE_RANGE or not registry.supports(layer):
        return False
    if not all(tensor.dtype.is_floating for tensor in tf.nest.flatten(layer.get_input_at(0))):
        return False  # token ids are not rounded
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    standalone = isinstance(layer, tf_keras.layers.Activation)
    return name in (STANDALONE_ACTIVATIONS if standalone else ACTIVATIONS)


def _start_ranges(model: Any, aware: Any, source: SourceModel) -> None:
    """Sets the ranges of an aware model to those of the model on the representative dataset."""
    names = {layer.name for layer in aware.layers}
    wrapped = [layer for layer in model.layers if f"quant_{layer.name}" in names]
    probe = tf_keras.Model(
        model.inputs,
        {
            layer.name: [layer.get_input_at(n) for n in range(len(layer.inbound_nodes))]
            for layer in wrapped
        },
    )
    calibration = source.representative
    size = batch_size(source.inputs)
    ranges: Ranges = {}
    for start in range(0, len(calibration), size):
        values = probe(
            [
                tf.constant(calibration.inputs[spec.name][start : start + size], spec.dtype)
                for spec in source.inputs
            ]
        )
        for layer in wrapped:
            for value in values[layer.name]:
                _widen(ranges, f"{layer.name}/pre", _before_activation(layer, value))
                _widen(ranges, f"{layer.name}/post", layer(value))
    for layer in wrapped:
        for variable in aware.get_layer(f"quant_{layer.name}").weights:
            when, _, end = variable.name.split("/")[-1].removesuffix(":0").rpartition("_")
            when = "post" if when == "output" else when.removesuffix("_activation")
            if when in ("pre", "post") and end in ("min", "max"):
                variable.assign(ranges[f"{layer.name}/{when}"][end == "max"])


def _widen(ranges: Ranges, name: str, values: tf.Tensor) -> None:
    low, high = float(tf.reduce_min(values)), float(tf.reduce_max(values))
    known = ranges.get(name, (low, high))
    ranges[name] = (min(low, known[0]), max(high, known[1]))


def _before_activation(layer: Any, x: Any) -> tf.Tensor:
    """Returns what a layer computes before its activation function, if it has one."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return layer(x)
    try:
        layer.activation = tf_keras.activations.linear
        return layer(x)
    finally:
        layer.activation = activation
