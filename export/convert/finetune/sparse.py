"""Prunes and clusters the kernels of dense and convolution layers."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as sparsity_preserving,
)

from export.convert.finetune.training import fit
from export.convert.objective import training_steps
from export.convert.source import SourceModel
from train.common.errors import ToolkitError

PEAK_LEARNING_RATE = 1e-3
PRUNING_START = 0.3  # sparsity at the first step
PRUNING_SHARE = 0.6  # of the steps, after which the sparsity is final
PRUNING_INTERVAL_STEPS = 20
# A depthwise convolution has few weights, and each matters.
KINDS = (
    tf_keras.layers.Dense,
    tf_keras.layers.Conv1D,
    tf_keras.layers.Conv2D,
    tf_keras.layers.Conv2DTranspose,
)
# The file's checks look at the kernels of matrix products, to which these have none.
WITHOUT_PRODUCTS = (tf_keras.layers.DepthwiseConv1D, tf_keras.layers.DepthwiseConv2D)


def pruned(model: Any, source: SourceModel, epochs: int, sparsity: float) -> Any:
    """Sets the smallest weights of dense and convolution layers to zero, gradually.

    Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878. Not those of the last such layer before
    an output: it has few weights, and each matters.

    Raises:
        ToolkitError: there is no layer to prune, or one that cannot be.
    """
    _check_layers(model, "pruned")
    last = _last_layers(model)
    chosen = {layer.name for layer in model.layers if type(layer) in KINDS} - last
    if not chosen:
        raise ToolkitError(
            "the model has no dense or convolution layer to prune before those of its outputs"
            f"{_named(last)}; use tflite-int8, which needs no fine-tuning"
        )
    steps = max(1, int(training_steps(source, epochs) * PRUNING_SHARE))
    interval = min(PRUNING_INTERVAL_STEPS, max(1, steps // PRUNING_INTERVAL_STEPS))
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=min(PRUNING_START, sparsity / 2),
        final_sparsity=sparsity,
        begin_step=0,
        end_step=steps - steps % interval,  # else the last step is left out
        frequency=interval,
    )

    def wrap(layer: Any) -> Any:
        if layer.name not in chosen:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    fit(wrapped, source, epochs, PEAK_LEARNING_RATE, [tfmot.sparsity.keras.UpdatePruningStep()])
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def clustered(
    model: Any, source: SourceModel, epochs: int, clusters: int, *, keep_zeros: bool
) -> Any:
    """Lets each kernel keep only so many distinct weights; zeros stay zero if asked.

    Han et al. 2016, https://arxiv.org/abs/1510.00149.

    Raises:
        ToolkitError: there is no layer to cluster, or one that cannot be.
    """
    _check_layers(model, "clustered")
    chosen = {
        layer.name
        for layer in model.layers
        if type(layer) in KINDS and np.unique(layer.kernel.numpy()).size > clusters
    }
    if not chosen:
        raise ToolkitError(
            f"the model has no dense or convolution layer with more than {clusters} distinct "
            "weights to cluster; use tflite-int8, which needs no fine-tuning"
        )
    arguments = {
        "number_of_clusters": clusters,
        "cluster_centroids_init": tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
    }

    def wrap(layer: Any) -> Any:
        if layer.name not in chosen:
            return layer
        if keep_zeros:
            return sparsity_preserving.cluster_weights(layer, preserve_sparsity=True, **arguments)
        return tfmot.clustering.keras.cluster_weights(layer, **arguments)

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    fit(wrapped, source, epochs, PEAK_LEARNING_RATE)
    return tfmot.clustering.keras.strip_clustering(wrapped)


def _check_layers(model: Any, done: str) -> None:
    """Raises ToolkitError for kernels of other layers, such as recurrent ones and attention."""
    for layer in model.layers:
        if type(layer) in KINDS or isinstance(layer, WITHOUT_PRODUCTS):
            continue
        if any("kernel" in weight.name for weight in layer.trainable_weights):
            raise ToolkitError(
                f"layer {layer.name!r} ({type(layer).__name__}) cannot be {done}, only dense and "
                "convolution layers can; use tflite-int8-qat or tflite-int8"
            )


def _last_layers(model: Any) -> set[str]:
    """Returns the names of the layers to prune that an output depends on through no other."""
    found, seen = set(), set()
    nodes = [output.node for output in tf.nest.flatten(model.outputs)]
    while nodes:
        node = nodes.pop()
        if type(node.layer) in KINDS:
            found.add(node.layer.name)
        elif id(node) not in seen:
            seen.add(id(node))
            nodes.extend(node.parent_nodes)
    return found


def _named(layers: set[str]) -> str:
    return f" ({', '.join(sorted(layers))})" if layers else ""
