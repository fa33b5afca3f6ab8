"""Makes batch normalizations part of the layers before or after them.

As every converter does; else they would scale what was clustered or rounded apart again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from export.convert.finetune.graph import DROPPED, Call, Graph, Tensor

FOLDING = frozenset(
    {
        *("Dense", "Conv1D", "Conv2D", "Conv2DTranspose"),
        *("DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
    }
)
# Layers that scale each channel of what they read, and to which an offset is a bias.
READING = frozenset({"Dense", "Conv1D", "Conv2D", "DepthwiseConv2D"})


def fold(graph: Graph) -> Graph:
    """Returns the graph with batch normalizations as parts of the calls beside them.

    A normalization is folded into the layer before it if that is linear, has weights of its own
    alone (it is not shared), and is read by nothing else; else into the layer after it if that
    alone reads it, and pads with nothing that the normalization would not have.
    """
    return _forwards(_backwards(graph))


def _backwards(graph: Graph) -> Graph:
    uses, readers = _counts(graph)
    maker: dict[Tensor, Call] = {t: call for call in graph.calls for t in call.outputs}
    folded: dict[Call, Call] = {}
    taken = set()
    for call in graph.calls:
        if call.kind != "BatchNormalization" or len(call.reads) != 1:
            continue
        before = maker.get(call.reads[0])
        if (
            before is not None
            and before.kind in FOLDING
            and uses[id(before.layer)] == uses[id(call.layer)] == 1
            and readers[call.reads[0]] == 1
            and before.layer.get_config()["activation"] == "linear"
            and _by_channel(before, call)
        ):
            folded[before] = replace(before, outputs=call.outputs, folded=call.layer)
            taken.add(call)
    calls = tuple(folded.get(call, call) for call in graph.calls if call not in taken)
    return replace(graph, calls=calls)


def _forwards(graph: Graph) -> Graph:
    uses, readers = _counts(graph)
    reader: dict[Tensor, Call] = {t: call for call in graph.calls for t in call.reads}
    folded: dict[Call, Any] = {}
    renamed: dict[Tensor, Tensor] = {}
    for call in graph.calls:
        if call.kind != "BatchNormalization" or len(call.reads) != 1:
            continue
        (value,) = call.outputs
        after = reader.get(value)
        while after is not None and (after.kind in DROPPED or after.kind == "Dropout"):
            if readers[value] != 1:
                break
            (value,) = after.outputs
            after = reader.get(value)
        if (
            after is not None
            and after.kind in READING
            and uses[id(after.layer)] == uses[id(call.layer)] == 1
            and readers[value] == 1
            and after.layer.get_config().get("groups", 1) == 1
            and _by_channel(after, call)
            and (_pads_nothing(after) or not _gain_and_offset(call.layer)[1].any())
        ):
            folded[after] = call.layer
            renamed[call.outputs[0]] = call.reads[0]
    taken = {call for call in graph.calls if call.outputs[:1] and call.outputs[0] in renamed}
    calls = tuple(
        replace(
            call,
            args=_named(call.args, renamed),
            kwargs=_named(dict(call.kwargs), renamed),
            reads_folded=folded.get(call),
        )
        for call in graph.calls
        if call not in taken
    )
    return replace(graph, calls=calls)


def weights_of(call: Call) -> list[np.ndarray]:
    """Returns the weights of a call's layer, with the batch normalizations folded into it.

    Those of a folded one are its kernels, scaled, and a bias.
    """
    weights: list[np.ndarray] = call.layer.get_weights()
    if call.folded is None and call.reads_folded is None:
        return weights
    bias: np.ndarray = weights.pop() if call.layer.use_bias else np.zeros(1, np.float32)
    *kernels, kernel = weights
    if call.reads_folded is not None:  # the kernel begins in the window, then input channels
        gain, offset = _gain_and_offset(call.reads_folded)
        window = tuple(range(kernel.ndim - 2))
        added = (kernel * offset[:, np.newaxis]).sum(axis=window)
        bias = bias + (added.ravel() if call.kind == "DepthwiseConv2D" else added.sum(axis=0))
        kernel = kernel * gain[:, np.newaxis]
    if call.folded is not None:
        gain, offset = _gain_and_offset(call.folded)
        bias = bias * gain + offset
        if call.kind == "DepthwiseConv2D":  # ends in input channels and multiplier
            kernel = kernel * gain.reshape(kernel.shape[-2:])
        elif call.kind == "Conv2DTranspose":  # ends in output and input channels
            kernel = kernel * gain[:, np.newaxis]
        else:  # ends in output channels
            kernel = kernel * gain
    return [*kernels, kernel, bias]


def _gain_and_offset(normalization: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns what a normalization multiplies each channel by, and what it adds then."""
    mean, variance = (
        np.asarray(v) for v in (normalization.moving_mean, normalization.moving_variance)
    )
    gain: np.ndarray = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        gain = gain * np.asarray(normalization.gamma)
    offset = -mean * gain
    if normalization.center:
        offset = offset + np.asarray(normalization.beta)
    return gain, offset


def _counts(graph: Graph) -> tuple[Counter[int], Counter[Tensor]]:
    """Returns how often each layer is used, and how often each tensor is read."""
    uses = Counter(id(call.layer) for call in graph.calls)
    readers = Counter(graph.outputs) + Counter(t for call in graph.calls for t in call.reads)
    return uses, readers


def _named(structure: Any, renamed: Mapping[Tensor, Tensor]) -> Any:
    return tf.nest.map_structure(
        lambda leaf: renamed.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf, structure
    )


def _pads_nothing(call: Call) -> bool:
    return call.kind == "Dense" or call.layer.get_config()["padding"] == "valid"


def _by_channel(beside: Call, normalization: Call) -> bool:
    layer = normalization.layer
    last = layer.input_spec.ndim - 1
    return bool(
        beside.layer.get_config().get("data_format") != "channels_first"
        and [axis % (last + 1) for axis in np.atleast_1d(layer.axis)] == [last]
    )
