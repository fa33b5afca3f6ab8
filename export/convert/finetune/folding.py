"""Makes batch normalizations part of the layers before them.

As every converter does; else they would scale what was clustered or rounded apart again.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from export.convert.finetune.graph import Call, Graph, Tensor

FOLDING = frozenset(
    {
        *("Dense", "Conv1D", "Conv2D", "Conv2DTranspose"),
        *("DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
    }
)


def fold(graph: Graph) -> Graph:
    """Returns the graph with batch normalizations as parts of the calls whose results they scale.

    A normalization is folded if the layer before it is linear, has weights of its own alone (it
    is not shared), and is read by nothing else.
    """
    uses = Counter(id(call.layer) for call in graph.calls)
    readers = Counter(graph.outputs) + Counter(t for call in graph.calls for t in call.reads)
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
            and _is_linear_and_by_channel(before, call)
        ):
            folded[before] = replace(before, outputs=call.outputs, folded=call.layer)
            taken.add(call)
    calls = tuple(folded.get(call, call) for call in graph.calls if call not in taken)
    return replace(graph, calls=calls)


def weights_of(call: Call) -> list[np.ndarray]:
    """Returns the weights of a call's layer, with the batch normalization folded into it.

    Those of a folded one are its kernels, the last of them scaled, and a bias.
    """
    weights: list[np.ndarray] = call.layer.get_weights()
    normalization = call.folded
    if normalization is None:
        return weights
    bias = weights.pop() if call.layer.use_bias else 0
    *kernels, kernel = weights
    mean, variance = (
        np.asarray(v) for v in (normalization.moving_mean, normalization.moving_variance)
    )
    gain = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        gain = gain * np.asarray(normalization.gamma)
    offset = (bias - mean) * gain
    if normalization.center:
        offset = offset + np.asarray(normalization.beta)
    if call.kind == "DepthwiseConv2D":  # ends in input channels and multiplier
        scaled = kernel * gain.reshape(kernel.shape[-2:])
    elif call.kind == "Conv2DTranspose":  # ends in output and input channels
        scaled = kernel * gain[:, np.newaxis]
    else:  # ends in output channels
        scaled = kernel * gain
    return [*kernels, scaled, offset]


def _is_linear_and_by_channel(before: Call, normalization: Call) -> bool:
    config, layer = before.layer.get_config(), normalization.layer
    last = layer.input_spec.ndim - 1
    return bool(
        config["activation"] == "linear"
        and config.get("data_format") != "channels_first"
        and [axis % (last + 1) for axis in np.atleast_1d(layer.axis)] == [last]
    )
