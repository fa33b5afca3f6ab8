"""Layers with weights: dense, convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.numbers import factor, limits
from export.deploy.c.steps.packing import PLAIN, Packed, pack
from export.deploy.c.steps.step import Array, Step, side_by_side, title, unsupported

CHANNELS = ("narrow", "channels")
DOT = (*CHANNELS, "outputs", "simd_wasm", "dot_wasm", "dot_hosts", "dot_cores", "dot", "dense")
SIXTEEN = (
    "tile_x86",
    "tile_neon",
    "simd_wasm",
    "tile_wasm",
    "tile_factors",
)  # sixteen channels at once, on hosts
TILE = (*SIXTEEN, "tile")  # of many positions
TWICE, ONCE = "scale", "scale_once"  # how the sums' factors round
INT32 = 1 << 32
MOST_INPUTS = 1 << 18  # of a dense layer, whose groups of four have numbers of 16 bits


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


def fully_connected(network: Network, operator: Operator) -> Step:
    """Returns a dense layer, of one position or of several."""
    given, weights, bias = _tensors(network, operator)
    return _dense(network, operator, given, weights, bias)


def conv_2d(network: Network, operator: Operator) -> Step:
    """Returns a convolution, grouped or not; one by one pixel is a dense layer of each."""
    given, weights, bias = _tensors(network, operator)
    options = operator.options
    steps = (options.strideH, options.strideW)
    if weights.shape[1:3] == (1, 1) and steps == (1, 1) and given.shape[3] == weights.shape[3]:
        return _dense(network, operator, given, weights, bias)
    dilation = (options.dilationHFactor, options.dilationWFactor)
    window = _window(network, operator, given, weights.shape[1:3], steps, dilation)
    groups = given.shape[3] // weights.shape[3]
    channels = _channels(network, operator, given, weights, bias, groups=groups)
    ends = f"{{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}"
    many = (*TILE, "conv_tile") if channels.packed is None else ()
    call = f"model_conv{channels.suffix}({ends}, {{scratch}}, &at, &to);"
    return Step(
        title=title(network, operator),
        code=_with_window([*window, groups], given, channels.declared, call),
        kernels=(TWICE, *channels.kernels, "window", "patch", *many, channels.of("conv")),
        arrays=channels.arrays,
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
        scratch=int(np.prod(weights.shape[1:])),
    )


def transpose_conv(network: Network, operator: Operator) -> Step:
    """Returns a transposed convolution."""
    _, at_weights, at_input, *_ = operator.inputs
    given, weights = network.tensors[at_input], network.tensors[at_weights]
    bias = network.tensors[operator.inputs[3]] if len(operator.inputs) > 3 else None
    options = operator.options
    steps, kernel = (options.strideH, options.strideW), weights.shape[1:3]
    output = network.tensors[operator.outputs[0]]
    pad = [
        max(0, (size - 1) * step + k - out) // 2 if options.padding == 0 else 0
        for size, step, k, out in zip(
            given.shape[1:3], steps, kernel, output.shape[1:3], strict=True
        )
    ]
    window = [*given.shape[1:], *output.shape[1:], *kernel, *steps, 1, 1, *pad]
    channels = _channels(network, operator, given, weights, bias)
    ends = f"{{t{at_input}}}, {{t{operator.outputs[0]}}}"
    call = f"model_conv_transposed{channels.suffix}({ends}, {{scratch}}, &at, &to);"
    return Step(
        title=title(network, operator),
        code=_with_window([*window, 1], given, channels.declared, call),
        kernels=(TWICE, *channels.kernels, "window", channels.of("conv_transposed")),
        arrays=channels.arrays,
        inputs=(at_input,),
        outputs=operator.outputs,
        scratch=int(np.prod(weights.shape[1:])),
    )


def depthwise_conv_2d(network: Network, operator: Operator) -> Step:
    """Returns a depthwise convolution."""
    given, weights, bias = _tensors(network, operator)
    options = operator.options
    steps = (options.strideH, options.strideW)
    dilation = (options.dilationHFactor, options.dilationWFactor)
    window = _window(network, operator, given, weights.shape[1:3], steps, dilation)
    channels = _channels(network, operator, given, weights, bias, depthwise=True)
    ends = f"{{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}"
    call = f"model_conv_depthwise({ends}, &at, &to);"
    return Step(
        title=title(network, operator),
        code=_with_window([*window, 1], given, channels.declared, call),
        kernels=(
            TWICE,
            *CHANNELS,
            "outputs",
            "window",
            "inside",
            *SIXTEEN,
            "depthwise_x86",
            "depthwise_neon",
            "depthwise_wasm",
            "depthwise_tile",
            "conv_depthwise",
        ),
        arrays=channels.arrays,
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def _tensors(network: Network, operator: Operator) -> tuple[Tensor, Tensor, Tensor | None]:
    given, weights = (network.tensors[i] for i in operator.inputs[:2])
    bias = None
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = network.tensors[operator.inputs[2]]
    return given, weights, bias


def _dense(
    network: Network, operator: Operator, given: Tensor, weights: Tensor, bias: Tensor | None
) -> Step:
    n, channels = weights.size // weights.shape[0], weights.shape[0]
    positions = given.size // n
    nonzero = network.optimize == PLAIN and positions == 1 and n <= MOST_INPUTS
    to = _channels(network, operator, given, weights, bias, folds=not nonzero)
    source, target = f"{{t{operator.inputs[0]}}}", f"{{t{operator.outputs[0]}}}"
    dense = f"model_dense{to.suffix}"
    call = f"{dense}({source}, {target}, {n}, 0, {channels}, &to);"
    many: tuple[str, ...] = ()
    if nonzero:
        many = ("dense_wasm",)
        scratch = "(int16_t *)(void *){scratch}"
        call = (
            f"model_dense_nonzero({source}, {target}, {scratch}, {n}, {channels}, "
            f"{given.zero_point}, &to);"
        )
    elif positions > 1 and to.packed is None:
        many = (*TILE, "positions")
        call = f"model_dense_each({source}, {target}, {positions}, {n}, {channels}, &to);"
    elif positions > 1:
        call = (
            f"for (int i = 0; i < {positions}; i++) {{\n    {dense}({source} + i * {n}, "
            f"{target} + i * {channels}, {n}, 0, {channels}, &to);\n}}"
        )
    return Step(
        title=title(network, operator),
        code=f"{to.declared}\n{call}",
        kernels=(ONCE if operator.name == "FULLY_CONNECTED" else TWICE, *to.kernels, *many),
        arrays=to.arrays,
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
        scratch=2 * (n + 8 + n // 4 + 2) if nonzero else 0,
        wide_scratch=nonzero,
    )


def _window(
    network: Network,
    operator: Operator,
    given: Tensor,
    kernel: Sequence[int],
    steps: tuple[int, int],
    dilation: tuple[int, int],
) -> list[int]:
    output = network.tensors[operator.outputs[0]]
    pad = [
        max(0, (out - 1) * step + (k - 1) * spread + 1 - size) // 2
        if operator.options.padding == 0
        else 0
        for size, out, k, step, spread in zip(
            given.shape[1:3], output.shape[1:3], kernel, steps, dilation, strict=True
        )
    ]
    return [*given.shape[1:], *output.shape[1:], *kernel, *steps, *dilation, *pad]


def _with_window(window: list[int], given: Tensor, to: str, call: str) -> str:
    numbers = ", ".join(map(str, [*window, given.zero_point]))
    return f"static const MODEL_FLASH struct model_window at = {{{numbers}}};\n{to}\n{call}"


def _channels(
    network: Network,
    operator: Operator,
    given: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    *,
    depthwise: bool = False,
    groups: int = 1,
    folds: bool = True,
) -> _Channels:
    """Returns a layer's channels: depthwise ones, and those of groups, are stored as they are.

    `folds` says whether the bias takes what the input's zero point adds.
    """
    data = weights.data
    if data is None:
        raise unsupported(operator, "with computed weights")
    packed = None
    output = network.tensors[operator.outputs[0]]
    if depthwise:
        stored = data.reshape(-1)
        totals = data.astype(np.int64).sum(axis=(0, 1, 2))
    else:
        rows = data.reshape(weights.shape[0], -1)
        totals = rows.astype(np.int64).sum(axis=1)
        packed = pack(rows, network.optimize) if groups == 1 else None
        if packed is None:
            parts = np.split(rows, groups)
            stored = np.concatenate([side_by_side(part) for part in parts])
        else:
            stored = packed.values
    start = np.zeros(len(totals), np.int64)
    if bias is not None:
        if bias.data is None:
            raise unsupported(operator, "with a computed bias")
        start = bias.data.reshape(-1).astype(np.int64)
    # The kernels add (input - zero point) * weight; what the zero point adds is known beforehand.
    # Sums wrap around as those of 32 bits do.
    folded = (start - given.zero_point * totals * folds) % INT32
    factors = [
        factor(float(given.scales[0]) * float(scale) / float(output.scales[0]))
        for scale in weights.scales
    ]
    name = f"layer_{operator.place}"
    arrays = (
        Array(name=f"{name}_weights", values=stored.astype(np.int8), aligned=True),
        Array(name=f"{name}_bias", values=folded.astype(np.uint32).view(np.int32)),
        Array(name=f"{name}_multiplier", values=np.asarray([m for m, _ in factors], np.int32)),
        Array(name=f"{name}_shift", values=np.asarray([s for _, s in factors], np.int8)),
    )
    low, high = limits(operator.options.fusedActivationFunction, output)
    each, once = int(len(factors) > 1), int(operator.name == "FULLY_CONNECTED")
    # The largest that a sum can be, and what the kernels make of it before they multiply it.
    absolute = np.abs(data.astype(np.int64))
    most = absolute.sum(axis=(0, 1, 2)) if depthwise else absolute.reshape(len(totals), -1).sum(1)
    most = 128 * most + np.abs(folded.astype(np.uint32).view(np.int32).astype(np.int64))
    small = int(int(most.max()) << 1 + max(0, *(s for _, s in factors), 0) < 1 << 31)
    names = ", ".join(array.name for array in arrays)
    declared = (
        f"static const MODEL_FLASH struct model_channels to = {{{names},\n    "
        f"{each}, {once}, {small}, {output.zero_point}, {low}, {high}}};"
    )
    return _Channels(declared=declared, arrays=arrays, packed=packed)
