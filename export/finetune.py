"""Fine-tunes a copy of the model so that it bears quantization, pruning or clustering. Heavy.

By tensorflow-model-optimization, which knows Keras 2 only: the model is rebuilt layer by layer
for tf-keras. Keras 3 has to be imported first, because importing tensorflow-model-optimization
sets TF_USE_LEGACY_KERAS for the whole process. The teacher is the Keras model itself: its
probabilities are the targets (Hinton et al. 2015, https://arxiv.org/abs/1503.02531), mixed with
the labels, so that the copy stays close to it. Only the training split is seen.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as sparsity_preserving,
)

from export.formats import Recipe
from export.settings import DEFAULT_EPOCHS, Settings
from export.source import SourceModel
from train.data import INPUT_NAME, OUTPUT_NAME
from train.errors import ToolkitError

SEED = 1
BATCH_SIZE = 256
STEPS_PER_EXECUTION = 50  # batches a call into TensorFlow; saves a third of an epoch's time
PEAK_LEARNING_RATE: dict[Recipe, float] = {"qat": 3e-5, "pruned": 1e-3, "clustered": 1e-3}
TEACHER_SHARE = 0.9  # of the targets; the rest are the labels
PRUNING_START = 0.3  # sparsity at the first step
PRUNING_SHARE = 0.6  # of the steps, after which the sparsity is final
PRUNING_INTERVAL_STEPS = 20
# The layers that tf-keras rebuilds, and the fields of their configuration that both know.
CONVOLUTION = ("kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias")
REBUILT_LAYERS = {
    "Flatten": (),
    "Reshape": ("target_shape",),
    "Dropout": ("rate",),
    "Dense": ("units", "activation", "use_bias"),
    "Conv2D": ("filters", "groups", *CONVOLUTION),
    "DepthwiseConv2D": ("depth_multiplier", *CONVOLUTION),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Activation": ("activation",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "MaxPooling2D": ("pool_size", "strides", "padding"),
    "AveragePooling2D": ("pool_size", "strides", "padding"),
    "GlobalAveragePooling2D": ("keepdims",),
}


def fine_tune(source: SourceModel, recipes: Sequence[Recipe], settings: Settings) -> Path:
    """Fine-tunes a copy of the model by recipes in order; returns its SavedModel's folder.

    Raises:
        ToolkitError: tf-keras cannot rebuild a layer of the model.
    """
    model = rebuild(source.model.keras_model)
    for recipe in recipes:
        tf_keras.utils.set_random_seed(SEED)
        epochs = settings.epochs or DEFAULT_EPOCHS[recipe]
        if recipe == "pruned":
            model = _pruned(model, source, epochs, settings.sparsities[0])
        elif recipe == "clustered":
            model = _clustered(model, source, epochs, settings.clusters or 0, "pruned" in recipes)
        else:
            model = _quantization_aware(model, source, epochs)
    return _save(model, source, settings.batch, "-".join(recipes))


def rebuild(model: keras.Model) -> Any:
    """Returns a tf-keras copy of a chain of layers, with its weights.

    A batch normalization right after a convolution becomes part of its weights, as in every
    converter: else it would scale what was clustered apart again.

    Raises:
        ToolkitError: a layer is of a kind that tensorflow-model-optimization is not fed here;
            it is named.
    """
    x = image = tf_keras.Input(model.input_shape[1:], name=INPUT_NAME)
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    folded = None
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if layer is folded:
            continue
        kind = type(layer).__name__
        if kind not in REBUILT_LAYERS:
            raise ToolkitError(
                f"layer {layer.name!r} ({kind}) cannot be rebuilt for fine-tuning, expected one of "
                f"{', '.join(REBUILT_LAYERS)}; use tflite-int8, which needs no fine-tuning"
            )
        config = layer.get_config()
        fields = {name: config[name] for name in REBUILT_LAYERS[kind]}
        weights = layer.get_weights()
        if _folds(layer, following):
            folded = following
            fields["use_bias"] = True
            weights = _fold(layer, following)
        copy = getattr(tf_keras.layers, kind)(name=layer.name, **fields)
        x = copy(x)
        copy.set_weights(weights)
    return tf_keras.Model(image, x)


def _folds(layer: keras.Layer, following: keras.Layer | None) -> bool:
    return (
        isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
        and isinstance(following, keras.layers.BatchNormalization)
        and layer.get_config()["activation"] == "linear"
    )


def _fold(layer: keras.Layer, normalization: keras.Layer) -> list[np.ndarray]:
    """Returns kernel and bias of a convolution and the batch normalization after it."""
    kernel, *bias = layer.get_weights()
    mean, variance = (
        np.asarray(v) for v in (normalization.moving_mean, normalization.moving_variance)
    )
    gain = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        gain = gain * np.asarray(normalization.gamma)
    offset = ((bias[0] if bias else 0) - mean) * gain
    if normalization.center:
        offset = offset + np.asarray(normalization.beta)
    # a depthwise kernel ends in input channels and multiplier, others in output channels
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [kernel * gain.reshape(kernel.shape[-2:] if depthwise else -1), offset]


class _Annealing(tf_keras.callbacks.Callback):
    """Lowers the learning rate to zero along half a cosine, as `train.fit.learning_rates` does."""

    def __init__(self, peak: float) -> None:
        super().__init__()
        self.peak = peak
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = (self.epoch + batch / self.params["steps"]) / self.params["epochs"]
        rate = self.peak * 0.5 * (1 + math.cos(math.pi * done))
        self.model.optimizer.learning_rate.assign(rate)


def _fit(
    model: Any, source: SourceModel, epochs: int, peak: float, callbacks: Sequence[Any] = ()
) -> None:
    model.compile(
        optimizer=tf_keras.optimizers.Adam(peak),
        loss="categorical_crossentropy",
        # UpdatePruningStep has to see every step
        steps_per_execution=1 if callbacks else STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    (inputs,), (outputs,) = (part.values() for part in source.teacher())
    (labels,) = source.training_targets().values()
    truth = np.eye(outputs.shape[1], dtype=np.float32)[labels]
    targets = TEACHER_SHARE * outputs + (1 - TEACHER_SHARE) * truth
    model.fit(
        tf.constant(inputs),
        tf.constant(targets),
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=0,
        callbacks=[_Annealing(peak), *callbacks],
    )


def _pruned(model: Any, source: SourceModel, epochs: int, sparsity: float) -> Any:
    """Sets the smallest weights of all Dense and Conv2D layers but the last to zero, gradually.

    Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878. The output layer has few weights, and
    each matters; so has a depthwise convolution.
    """
    kinds = (tf_keras.layers.Dense, tf_keras.layers.Conv2D)
    prunable = [layer.name for layer in model.layers if isinstance(layer, kinds)]
    steps = epochs * math.ceil(source.training_count() / BATCH_SIZE)
    pruned_steps = max(1, int(steps * PRUNING_SHARE))
    interval = min(PRUNING_INTERVAL_STEPS, max(1, pruned_steps // PRUNING_INTERVAL_STEPS))
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=min(PRUNING_START, sparsity / 2),
        final_sparsity=sparsity,
        begin_step=0,
        end_step=pruned_steps - pruned_steps % interval,  # else the last step is left out
        frequency=interval,
    )

    def wrap(layer: Any) -> Any:
        if layer.name not in prunable[:-1]:
            return layer.__class__.from_config(layer.get_config())
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    for layer in wrapped.layers:
        inner = getattr(layer, "layer", layer)
        for variable, value in zip(
            inner.weights, model.get_layer(inner.name).get_weights(), strict=True
        ):
            variable.assign(value)  # cloning made new ones
    _fit(
        wrapped,
        source,
        epochs,
        PEAK_LEARNING_RATE["pruned"],
        [tfmot.sparsity.keras.UpdatePruningStep()],
    )
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def _clustered(
    model: Any, source: SourceModel, epochs: int, clusters: int, keep_zeros: bool
) -> Any:
    """Lets each layer keep only so many distinct weights; zeros stay zero if asked.

    Han et al. 2016, https://arxiv.org/abs/1510.00149.
    """
    keras_clustering = tfmot.clustering.keras
    arguments = {
        "number_of_clusters": clusters,
        "cluster_centroids_init": keras_clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
    }
    if keep_zeros:
        wrapped = sparsity_preserving.cluster_weights(model, preserve_sparsity=True, **arguments)
    else:
        wrapped = keras_clustering.cluster_weights(model, **arguments)
    _fit(wrapped, source, epochs, PEAK_LEARNING_RATE["clustered"])
    return keras_clustering.strip_clustering(wrapped)


def _quantization_aware(model: Any, source: SourceModel, epochs: int) -> Any:
    """Trains with quantization simulated in the forward pass.

    Jacob et al. 2018, https://arxiv.org/abs/1712.05877. Activation ranges start from the
    representative dataset; the library starts them at ±6 and moves them by a thousandth a step.
    """
    aware = tfmot.quantization.keras.quantize_model(model)
    (inputs,) = source.representative.inputs.values()
    x = tf.constant(inputs)
    for layer in model.layers[1:]:
        variables = {
            v.name.split("/")[-1]: v for v in aware.get_layer(f"quant_{layer.name}").weights
        }
        before = _before_activation(layer, x)
        x = layer(x)
        for when, values in (("pre", before), ("post", x), ("output", x)):
            for name in (f"{when}_activation", when):
                if f"{name}_min:0" in variables:
                    variables[f"{name}_min:0"].assign(tf.reduce_min(values))
                    variables[f"{name}_max:0"].assign(tf.reduce_max(values))
    _fit(aware, source, epochs, PEAK_LEARNING_RATE["qat"])
    return aware


def _before_activation(layer: Any, x: tf.Tensor) -> tf.Tensor:
    """Returns what a layer computes before its activation function, if it has one."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return layer(x)
    try:
        layer.activation = tf_keras.activations.linear
        return layer(x)
    finally:
        layer.activation = activation


def _save(model: Any, source: SourceModel, batch: int | None, name: str) -> Path:
    folder = source.folder / f"saved_model-{name}"

    @tf.function(input_signature=source.signature(batch))
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT_NAME: model(image, training=False)}

    tf.saved_model.save(model, str(folder), signatures={"serving_default": serve})
    return folder
