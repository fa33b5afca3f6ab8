"""Layers with weights: dense, convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.deploy.c.network import Network, Operator
from export.deploy.c.steps.step import Array, Step, of_each_picture, side_by_side, title
from export.deploy.c.steps.weights import sixteen
from export.deploy.c.steps.weights.channels import (
    CONV,
    DENSE,
    DEPTHWISE,
    TRANSPOSED,
    Layer,
    layer_of,
    transposed_padding,
    window,
)
from export.deploy.c.steps.weights.packing import PLAIN, Packed, pack
from export.deploy.c.steps.weights.reals import reals

CHANNELS = ("narrow", "channels")
DOT = (*CHANNELS, "outputs", "dot_hosts", "dot_cores", "dot", "dense")
SIXTEEN = ("tile_vnni", "tile_avx2", "tile_neon", "tile_factors")  # sixteen channels, on hosts
TILE = (*SIXTEEN, "tile")  # of many positions
DEPTHWISE_TILE = (
    *("depthwise_vnni", "depthwise_avx2", "depthwise_neon"),
    *("depthwise_tile", "conv_depthwise"),
)
TWICE, ONCE = "scale", "scale_once"  # how the sums' factors round
REALS = """\
#if MODEL_HAS_REALS
static const int32_t reals[] = {{{values}}};
#endif
"""


@dataclass(frozen=True, kw_only=True)
class _Channels:
    """A layer's channels: what declares them, their constants, how weights are packed."""

    declared: str
    arrays: tuple[Array, ...]
    packed: Packed | None

    @property
    def suffix(self) -> str:
        """What distinguishes the functions that read packed weights."""
        return "" if self.packed is None else f"_{self.packed.kind}_{self.packed.bits}"

    @property
    def kernels(self) -> tuple[str, ...]:
        """What multiplies by them."""
        return DOT if self.packed is None else (*CHANNELS, self.packed.kernel)

    def of(self, kernel: str) -> str:
        """Returns a kernel as it calls these."""
        return kernel if self.packed is None else f"{kernel}:{self.suffix}"


def weighted(network: Network, operator: Operator) -> Step:
    """Returns a dense layer, or a convolution of any kind.

    Raises:
        ArtifactError: its weights or its bias are computed, or its activation has no kernel.
    """
    layer = layer_of(network, operator)
    found = sixteen.step(network, layer) if network.optimize == PLAIN else None
    if layer.is_pointwise:
        return found or _dense(network, layer)
    if found is None:
        make = {CONV: _conv, DEPTHWISE: _depthwise}.get(operator.name, _transposed)
        found = make(network, layer)
    return of_each_picture(network, found)


def _conv(network: Network, layer: Layer) -> Step:
    groups = layer.given.shape[3] // layer.weights.shape[3]
    channels = _channels(network, layer, groups=groups)
    many = (*TILE, "conv_tile") if channels.packed is None else ()
    return _windowed(
        network,
        layer,
        [*window(layer), groups],
        channels,
        f"model_conv{channels.suffix}({{ends}}, {{scratch}}, &at, &to);",
        ("window", "patch", *many, channels.of("conv")),
        scratch=layer.weights[0].size,
    )


def _transposed(network: Network, layer: Layer) -> Step:
    options = layer.operator.options
    ends = [*layer.given.shape[1:], *layer.output.shape[1:]]
    steps = (options.strideH, options.strideW)
    channels = _channels(network, layer)
    return _windowed(
        network,
        layer,
        [*ends, *layer.kernel, *steps, 1, 1, *transposed_padding(layer), 1],
        channels,
        f"model_conv_transposed{channels.suffix}({{ends}}, {{scratch}}, &at, &to);",
        ("window", channels.of("conv_transposed")),
        scratch=layer.weights[0].size,
    )


def _depthwise(network: Network, layer: Layer) -> Step:
    return _windowed(
        network,
        layer,
        [*window(layer), 1],
        _channels(network, layer),
        "model_conv_depthwise({ends}, &at, &to);",
        ("outputs", "window", "inside", *SIXTEEN, *DEPTHWISE_TILE),
        scratch=0,
    )


def _windowed(
    network: Network,
    layer: Layer,
    numbers: Sequence[int],
    channels: _Channels,
    call: str,
    kernels: Sequence[str],
    scratch: int,
) -> Step:
    operator = layer.operator
    listed = ", ".join(map(str, [*numbers, layer.given.zero_point]))
    ends = f"{{t{layer.source}}}, {{t{operator.outputs[0]}}}"
    return Step(
        title=title(network, operator),
        code=f"static const MODEL_FLASH struct model_window at = {{{listed}}};\n"
        f"{channels.declared}\n{call.replace('{ends}', ends)}",
        kernels=(
            TWICE,
            *(CHANNELS if operator.name == DEPTHWISE else channels.kernels),
            *kernels,
        ),
        arrays=channels.arrays,
        inputs=(layer.source,),
        outputs=operator.outputs,
        scratch=scratch,
    )


def _dense(network: Network, layer: Layer) -> Step:
    operator = layer.operator
    channels, n = layer.rows.shape
    positions = layer.given.size // n
    to = _channels(network, layer)
    source, target = f"{{t{layer.source}}}", f"{{t{operator.outputs[0]}}}"
    dense = f"model_dense{to.suffix}"
    call = f"{dense}({source}, {target}, {n}, 0, {channels}, &to);"
    many: tuple[str, ...] = ()
    if positions > 1 and to.packed is None:
        many = (*TILE, "positions_cores", "positions")
        call = f"model_dense_each({source}, {target}, {positions}, {n}, {channels}, &to);"
    elif positions > 1:
        call = (
            f"for (int i = 0; i < {positions}; i++) {{\n    {dense}({source} + i * {n}, "
            f"{target} + i * {channels}, {n}, 0, {channels}, &to);\n}}"
        )
    return Step(
        title=title(network, operator),
        code=f"{to.declared}\n{call}",
        kernels=(ONCE if layer.once else TWICE, *to.kernels, *many),
        arrays=to.arrays,
        inputs=(layer.source,),
        outputs=operator.outputs,
    )


def _channels(network: Network, layer: Layer, *, groups: int = 1) -> _Channels:
    """Returns a layer's channels: depthwise ones, and those of groups, are stored as they are."""
    packed = None
    rows = layer.rows
    if layer.operator.name == DEPTHWISE:
        stored = layer.weights.reshape(-1)
    else:
        packed = pack(rows, network.optimize) if groups == 1 else None
        parts = np.split(rows, groups)
        stored = packed.values if packed else np.concatenate([side_by_side(part) for part in parts])
    name = f"layer_{layer.operator.place}"
    factors, folded = layer.factors, layer.folded
    arrays = (
        Array(name=f"{name}_weights", values=stored.astype(np.int8), aligned=True),
        Array(name=f"{name}_bias", values=folded),
        Array(name=f"{name}_multiplier", values=np.asarray([m for m, _ in factors], np.int32)),
        Array(name=f"{name}_shift", values=np.asarray([s for _, s in factors], np.int8)),
    )
    each, once = int(len(factors) > 1), int(layer.operator.name == DENSE)
    # The largest that a sum can be, and what the kernels make of it before they multiply it.
    ups = 1 + max(0, *(shift for _, shift in factors), 0)
    small = int(int(layer.largest.max()) << ups < 1 << 31)
    names = ", ".join(array.name for array in arrays)
    real, told = "", "0, 0"
    is_tiled = packed is None and layer.operator.name != TRANSPOSED
    if is_tiled and (bits := reals(layer)) is not None:
        real = REALS.format(values=", ".join(map(str, bits.reshape(-1))))
        told = f"reals, reals + {bits.shape[1]}"
    declared = (
        f"{real}static const MODEL_FLASH struct model_channels to = {{{names},\n    "
        f"{each}, {once}, {small}, {layer.output.zero_point}, {layer.low}, {layer.high} "
        f"MODEL_REALS({told})}};"
    )
    return _Channels(declared=declared, arrays=arrays, packed=packed)
