"""What the layers with weights compute, however these are stored."""

from dataclasses import dataclass

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.numbers import factor, limits
from export.deploy.c.steps.step import unsupported

DENSE, CONV = "FULLY_CONNECTED", "CONV_2D"
DEPTHWISE, TRANSPOSED = "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer.

    Attributes:
        operator: it.
        source: the number of its input.
        given, output: its input and output.
        weights: (out, height, width, depth) int8, or (out, depth); (1, height, width, out) of a
            depthwise layer.
        bias: (out,) int64.
        factors: what sums are multiplied by, (out,) or one for all.
        low, high: the least and the largest output.
    """

    operator: Operator
    source: int
    given: Tensor
    output: Tensor
    weights: np.ndarray
    bias: np.ndarray
    factors: list[tuple[int, int]]
    low: int
    high: int

    @property
    def rows(self) -> np.ndarray:
        """The weights (out, n) int8 of each output."""
        if self.operator.name == DEPTHWISE:
            return self.weights.reshape(-1, self.weights.shape[3]).T
        return self.weights.reshape(len(self.weights), -1)

    @property
    def kernel(self) -> tuple[int, int]:
        """The window's height and width."""
        height, width = self.weights.shape[1:3]
        return height, width

    @property
    def once(self) -> bool:
        """Whether factors round once, not twice."""
        return self.operator.name == DENSE

    @property
    def folded(self) -> np.ndarray:
        """The bias (out,) int32 with what the input's zero point adds.

        Kernels add (input - zero point) * weight; sums wrap around as those of 32 bits do.
        """
        sums = self.bias - self.given.zero_point * self.rows.astype(np.int64).sum(axis=1)
        found: np.ndarray = (sums % (1 << 32)).astype(np.uint32).view(np.int32)
        return found

    @property
    def largest(self) -> np.ndarray:
        """What no sum (out,) int64 is beyond."""
        weights: np.ndarray = np.abs(self.rows.astype(np.int64)).sum(axis=1)
        return 128 * weights + np.abs(self.folded.astype(np.int64))

    @property
    def is_pointwise(self) -> bool:
        """Whether each output's inputs are one position's, so that it is a dense layer of each."""
        if self.operator.name == DENSE:
            return True
        options = self.operator.options
        steps = (options.strideH, options.strideW)
        whole = self.given.shape[3] == self.weights.shape[3]
        return self.operator.name == CONV and whole and self.kernel == (1, 1) == steps


def layer_of(network: Network, operator: Operator) -> Layer:
    """Returns the layer that an operator is.

    Raises:
        ArtifactError: its weights or its bias are computed, or its activation has no kernel.
    """
    places = list(operator.inputs)
    if operator.name == TRANSPOSED:
        places = [places[2], places[1], *places[3:]]
    given, weights = (network.tensors[i] for i in places[:2])
    output = network.tensors[operator.outputs[0]]
    if weights.data is None:
        raise unsupported(operator, "with computed weights")
    count = weights.shape[3 if operator.name == DEPTHWISE else 0]
    bias = np.zeros(count, np.int64)
    if len(places) > 2 and places[2] >= 0:
        data = network.tensors[places[2]].data
        if data is None:
            raise unsupported(operator, "with a computed bias")
        bias = data.reshape(-1).astype(np.int64)
    low, high = limits(operator.options.fusedActivationFunction, output)
    return Layer(
        operator=operator,
        source=places[0],
        given=given,
        output=output,
        weights=weights.data.astype(np.int8),
        bias=bias,
        factors=[
            factor(float(given.scales[0]) * float(scale) / float(output.scales[0]))
            for scale in weights.scales
        ],
        low=low,
        high=high,
    )


def window(layer: Layer) -> list[int]:
    """Returns the sizes of input, output and kernel, the steps and the padding of a convolution."""
    options = layer.operator.options
    steps = (options.strideH, options.strideW)
    dilation = (options.dilationHFactor, options.dilationWFactor)
    sizes = (layer.given.shape[1:], layer.output.shape[1:])
    pad = [
        max(0, (out - 1) * step + (k - 1) * spread + 1 - size) // 2 if options.padding == 0 else 0
        for size, out, k, step, spread in zip(
            sizes[0][:2], sizes[1][:2], layer.kernel, steps, dilation, strict=True
        )
    ]
    return [*sizes[0], *sizes[1], *layer.kernel, *steps, *dilation, *pad]


def transposed_padding(layer: Layer) -> list[int]:
    """Returns the padding of a transposed convolution, above and on the left."""
    options = layer.operator.options
    sizes = zip(
        layer.given.shape[1:3],
        (options.strideH, options.strideW),
        layer.kernel,
        layer.output.shape[1:3],
        strict=True,
    )
    if options.padding != 0:
        return [0, 0]
    return [max(0, (size - 1) * step + k - out) // 2 for size, step, k, out in sizes]
