"""Copies single layers of Keras 3 or tf-keras into tf-keras.

Of the fields of a layer's configuration, those that tf-keras knows are taken over, without what
matters to training from scratch only. `rebuild` checks that the copy computes the same.
"""

import inspect
from typing import Any

import tf_keras

from export.convert.finetune.graph import DROPPED, Call
from train.common.errors import ToolkitError

REBUILT = frozenset(
    {
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
        *("Dense", "EinsumDense", "Embedding", "MultiHeadAttention"),
        *("Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
        *("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"),
        *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
        *("GlobalMaxPooling1D", "GlobalMaxPooling2D"),
        *("GlobalAveragePooling1D", "GlobalAveragePooling2D"),
        *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"),
        *("Flatten", "Reshape", "Permute", "RepeatVector", "Rescaling", "Dropout"),
        *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D"),
        *("UpSampling1D", "UpSampling2D"),
        *("LSTM", "GRU", "SimpleRNN", "Bidirectional", "TimeDistributed"),
    }
)
RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
# Other names of fields in tf-keras.
RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
LIBRARIES = ("keras", "tf_keras")
WINDOW = ("kernel_size", "strides", "padding", "dilation_rate")
NOT_COPIED = ("name", "dtype", "seed", "trainable", "recurrent_dropout")


def copy_layer(call: Call, name: str, value: Any) -> tuple[Any, ...]:
    """Returns new tf-keras layers that do one after the other what a layer does, unbuilt.

    None of them where the layer does nothing at inference.

    Args:
        call: a use of the layer.
        name: the name of the last one.
        value: the first symbolic tensor that they will be called with.

    Raises:
        ToolkitError: it is of a kind that is not rebuilt; the layer is named.
        ValueError, TypeError: tf-keras does not take its configuration.
    """
    layer, kind = call.layer, call.kind
    if kind in DROPPED:
        return ()
    if kind not in REBUILT or type(layer).__module__.partition(".")[0] not in LIBRARIES:
        if isinstance(layer, tf_keras.layers.Layer):
            return (type(layer).from_config({**layer.get_config(), "name": name}),)
        raise refusal(layer, "cannot be rebuilt for fine-tuning")
    if kind == "TimeDistributed" and type(layer.layer).__name__ == "Dense":
        return (_copied(layer.layer, name, value),)  # it works on the last axis alone
    if kind.startswith("SeparableConv"):
        return _separated(call, name)
    copied = _copied(layer, name, value)
    if call.folded is not None or call.reads_folded is not None:
        copied.use_bias = True
    return (copied,)


def refusal(layer: Any, reason: str) -> ToolkitError:
    """Returns the error that says what is wrong with a layer, and what to do."""
    return ToolkitError(
        f"layer {layer.name!r} ({type(layer).__name__}) {reason}; use tflite-int8, which needs no "
        "fine-tuning"
    )


def _copied(layer: Any, name: str, value: Any) -> Any:
    kind = type(layer).__name__
    fields = _fields(layer)
    if kind == "Bidirectional":
        fields["layer"] = _copied(layer.forward_layer, f"{name}_forward", value)
        fields["backward_layer"] = _copied(layer.backward_layer, f"{name}_backward", value)
    elif kind == "TimeDistributed":
        fields["layer"] = _copied(layer.layer, f"{name}_layer", value)
    elif kind in RECURRENT:
        _check_unrolled(layer, value)
        fields |= {"dropout": 0, "unroll": True}
        if kind != "SimpleRNN":
            # Each gate by itself: of gates computed together, TFLite leaves the first step's in
            # float, as not all of them are used.
            fields["implementation"] = 1
    elif kind == "BatchNormalization":
        # One that is not folded keeps its statistics: a few small batches have no better.
        fields["trainable"] = False
    return getattr(tf_keras.layers, kind)(name=name, **fields)


def _separated(call: Call, name: str) -> tuple[Any, Any]:
    """Returns the two convolutions that a separable one consists of.

    As such, tensorflow-model-optimization and batch normalization treat them as any others.
    """
    fields, dimensions = _fields(call.layer), call.kind.removeprefix("SeparableConv")
    both = {"data_format": fields["data_format"]}
    window = {field: fields[field] for field in WINDOW}
    return (
        getattr(tf_keras.layers, f"DepthwiseConv{dimensions}")(
            name=f"{name}_depthwise",
            depth_multiplier=fields["depth_multiplier"],
            use_bias=False,
            **window,
            **both,
        ),
        getattr(tf_keras.layers, f"Conv{dimensions}")(
            fields["filters"],
            1,
            name=name,
            activation=fields["activation"],
            use_bias=fields["use_bias"] or call.folded is not None,
            **both,
        ),
    )


def _fields(layer: Any) -> dict[str, Any]:
    """Returns the fields of a layer's configuration that its tf-keras namesake knows."""
    kind = type(layer).__name__
    known = {
        parameter
        for base in getattr(tf_keras.layers, kind).__mro__
        if issubclass(base, tf_keras.layers.Layer) and base is not tf_keras.layers.Layer
        for parameter in inspect.signature(base.__init__).parameters
    }
    renamed = RENAMED.get(kind, {})
    fields = {}
    for field, value in layer.get_config().items():
        target = renamed.get(field, field) if renamed.get(field, field) in known else field
        if target in known and target not in NOT_COPIED and not target.endswith(OF_TRAINING):
            if "activation" in target and not isinstance(value, str):
                raise refusal(layer, f"has an {target} of its own, which cannot be rebuilt")
            fields[target] = value
    return fields


def _check_unrolled(layer: Any, sequence: Any) -> None:
    """Raises ToolkitError unless a recurrent layer can be rebuilt step by step.

    As a loop it crashes TFLite's calibration (2.21), and TFLite's own LSTM remembers the example
    before.
    """
    if sequence.shape[1] is None:
        raise refusal(layer, "takes sequences of any length; fix it with --shape")
