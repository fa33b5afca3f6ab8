"""Layers with weights for WebAssembly: sixteen channels at once, their weights in that order.

What fills up the last sixteen are zeros, of which gzip makes nothing. Most weights are widened to
16 bits when the module is loaded, so that no call has to.
"""

import numpy as np

from export.deploy.c.network import Network
from export.deploy.c.steps.step import ROWS, Array, Step, braces, title
from export.deploy.c.steps.weights.channels import (
    CONV,
    DENSE,
    DEPTHWISE,
    TRANSPOSED,
    Layer,
    transposed_padding,
    window,
)

CHANNELS, INPUTS = 16, 4  # of a block of weights
PATCHES_BYTES = 1 << 15  # of a convolution's inputs, side by side
OVER_BYTES = 15  # that these kernels may read beyond a tensor
MOST_PLACES = 127  # of a depthwise window
MOST_INPUTS = 1 << 18  # of a dense layer, whose groups of four have numbers of 16 bits
SMALL = 16  # a dense layer is where all others multiply so many times as often
HALF = 31  # bits of a factor behind the point
KERNELS = ("sixteen", "each_sixteen", "conv_sixteen", "depthwise_sixteen", "dense_sixteen")


def step(network: Network, layer: Layer) -> Step | None:
    """Returns a layer; None if its sums, or its window, are too large for these kernels."""
    shifts = np.asarray([shift for _, shift in layer.factors])
    left = np.maximum(shifts + 1, 0)
    if (layer.largest << left >= 1 << HALF).any():
        return None
    if layer.is_pointwise:
        return _dense(network, layer)
    channels, places = layer.rows.shape
    if layer.operator.name == DEPTHWISE and channels == layer.given.shape[3]:
        return _depthwise(network, layer) if places <= MOST_PLACES else None
    return _conv(network, layer)


def _conv(network: Network, layer: Layer) -> Step | None:
    """Returns a convolution; one of channels each of its own is one of as many groups."""
    options, rows = layer.operator.options, layer.rows
    groups, up = 1, (1, 1)
    if layer.operator.name == TRANSPOSED:  # a plain one over an input with gaps
        up = (options.strideH, options.strideW)
        pads = zip(layer.kernel, transposed_padding(layer), strict=True)
        ends = [*layer.given.shape[1:], *layer.output.shape[1:]]
        numbers = [*ends, *layer.kernel, 1, 1, 1, 1, *(size - 1 - pad for size, pad in pads)]
        rows = layer.weights[:, ::-1, ::-1].reshape(len(rows), -1)
    else:
        numbers = window(layer)
        each = 1 if layer.operator.name == DEPTHWISE else layer.weights.shape[3]
        groups = layer.given.shape[3] // each
    apart = -(-rows.shape[1] // INPUTS) * INPUTS
    count = min(PATCHES_BYTES // apart, int(np.prod(layer.output.shape[1:3])))
    if count == 0:
        return None
    weights, to, ups = _constants(layer, rows, groups)
    listed = braces([*numbers, groups, layer.given.zero_point])
    scratch = count * apart
    return _step(
        network,
        layer,
        f"static const struct model_window at = {listed};\n{to}\n"
        f"model_conv_sixteen({{ends}}, {{scratch}}, {scratch}u, &at, {weights[0].name}, &to, "
        f"{groups}, {up[0]}, {up[1]}, {int(not layer.once)}, {ups});",
        ("each_sixteen", "window", "conv_sixteen"),
        weights,
        scratch + OVER_BYTES,
    )


def _depthwise(network: Network, layer: Layer) -> Step:
    places = layer.rows.T
    padded = np.pad(places, ((0, len(places) % 2), (0, -places.shape[1] % CHANNELS)))
    blocks = padded.reshape(-1, 2, padded.shape[1] // CHANNELS, CHANNELS).transpose(2, 0, 3, 1)
    weights, to, ups = _constants(layer, layer.rows, 1, blocks)
    listed = braces([*window(layer), 1, layer.given.zero_point])
    return _step(
        network,
        layer,
        f"static const struct model_window at = {listed};\n{to}\n"
        f"model_depthwise_sixteen({{ends}}, {{scratch}}, &at, {weights[0].name}, &to, {ups});",
        ("window", "depthwise_sixteen"),
        weights,
        places.shape[1] + 2 * OVER_BYTES,
    )


def _dense(network: Network, layer: Layer) -> Step:
    """Returns a dense layer: of one position without zeros, unless that would be all it is for."""
    channels, n = layer.rows.shape
    fours, positions = -(-n // INPUTS), layer.given.size // n
    twice = int(not layer.once)
    if positions > 1 or n > MOST_INPUTS or _is_small(network):
        (weights, factors), to, ups = _constants(layer, layer.rows, 1)
        call = (
            f"model_each_sixteen({{ends}}, {n}, {channels}, {positions}, {fours}, {channels}, "
            f"{weights.name}, {factors.name}, &to, {twice}, {ups});"
        )
        return _step(network, layer, f"{to}\n{call}", ("each_sixteen",), (weights, factors), 0)
    (weights, factors), to, ups = _constants(layer, layer.rows, 1, bias=layer.bias, wide=False)
    call = (
        f"model_dense_sixteen({{ends}}, (int16_t *)(void *){{scratch}}, {fours}, {channels}, "
        f"{layer.given.zero_point}, {weights.name}, &to, {twice}, {ups});"
    )
    scratch = 2 * ((INPUTS + 1) * fours + 10)
    return _step(network, layer, f"{to}\n{call}", ("dense_sixteen",), (weights, factors), scratch)


def _is_small(network: Network) -> bool:
    """Returns whether dense layers of one position are a small part of all multiplications."""
    alone = others = 0
    for operator in (each for graph in network.graphs for each in graph.operators):
        if operator.name in (DENSE, CONV, DEPTHWISE, TRANSPOSED):
            weights = network.tensors[operator.inputs[1]]
            made = network.tensors[operator.outputs[0]]
            each = weights.size // made.shape[-1]
            if made.size == made.shape[-1] and operator.name in (DENSE, CONV):
                alone += weights.size
            else:
                others += made.size * each
    return SMALL * alone <= others


def _step(
    network: Network,
    layer: Layer,
    code: str,
    kernels: tuple[str, ...],
    arrays: tuple[Array, ...],
    scratch: int,
) -> Step:
    (target,) = layer.operator.outputs
    return Step(
        title=title(network, layer.operator),
        code=code.replace("{ends}", f"{{t{layer.source}}}, {{t{target}}}"),
        kernels=("sixteen", *kernels),
        arrays=arrays,
        inputs=(layer.source,),
        outputs=(target,),
        scratch=scratch,
        wide_scratch="dense_sixteen" in kernels,
    )


def _constants(
    layer: Layer,
    rows: np.ndarray,
    groups: int,
    blocks: np.ndarray | None = None,
    *,
    bias: np.ndarray | None = None,
    wide: bool = True,
) -> tuple[tuple[Array, Array], str, int]:
    """Returns weights and factors, what declares them, and whether sums are shifted to the left."""
    multipliers, shifts = np.asarray(layer.factors).T
    # nothing is shifted to the left by a factor of 0
    left = np.where(multipliers == 0, 0, np.maximum(shifts + 1, 0))
    right = np.where(left > 0, 1, np.where(multipliers == 0, HALF, -shifts))
    ups = int((left > 0).any())
    start = layer.folded if bias is None else bias
    columns = [start, multipliers, 1 << (HALF - right), *([1 << left] if ups else [])]
    each = [_blocks(np.broadcast_to(one, len(rows)), groups) for one in columns]
    factors = np.stack(each, axis=1).reshape(-1)
    name = f"layer_{layer.operator.place}"
    stored = side_by_side(rows, groups) if blocks is None else blocks.reshape(-1)
    arrays = (
        Array(name=f"{name}_weights", values=stored.astype(np.int8), aligned=True, wide=wide),
        Array(name=f"{name}_factors", values=factors.astype(np.int32)),
    )
    numbers = [arrays[1].name, layer.output.zero_point, layer.low, layer.high]
    return arrays, f"static const struct model_sixteen to = {braces(numbers)};", ups


def side_by_side(rows: np.ndarray, groups: int) -> np.ndarray:
    """Returns weights (channels, n) int8 as the kernels read them, zeros between and behind.

    Four channels' are together: of each four inputs come the first two of each channel, then the
    other two.
    """
    found = []
    for part in np.split(rows, groups):
        count, n = part.shape
        whole = np.pad(part, ((0, -count % CHANNELS), (0, -n % INPUTS)))
        pairs = whole.reshape(-1, ROWS, whole.shape[1] // INPUTS, 2, INPUTS // 2)
        found.append(pairs.transpose(0, 2, 3, 1, 4).reshape(-1))
    return np.concatenate(found)


def _blocks(values: np.ndarray, groups: int) -> np.ndarray:
    """Returns one number for each channel (channels,) as (blocks, 16)."""
    parts = np.split(values, groups)
    filled = [np.pad(part, (0, -len(part) % CHANNELS)) for part in parts]
    return np.concatenate(filled).reshape(-1, CHANNELS)
