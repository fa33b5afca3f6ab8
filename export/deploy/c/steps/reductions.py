"""Operators over axes that are next to each other: means, sums and extremes."""

import math

from export.deploy.c.network import Network, Operator
from export.deploy.c.steps.numbers import factor
from export.deploy.c.steps.step import Step, title, unsupported


def mean(network: Network, operator: Operator) -> Step:
    """Returns the mean or the sum over axes that are next to each other."""
    given, output = network.tensors[operator.inputs[0]], network.tensors[operator.outputs[0]]
    outer, count, inner = _sizes(network, operator)
    multiplier, shift = factor(float(given.scales[0]) / float(output.scales[0]))
    if operator.name == "MEAN":  # QuantizedMeanOrSum in kernels/internal/reference/reduce.h
        bits = min(count.bit_length() - 1, 32, 31 + shift)
        multiplier, shift = (multiplier << bits) // count, shift - bits
    less = count * given.zero_point
    numbers = [outer, count, inner, less, multiplier, shift, output.zero_point]
    return _step(network, operator, numbers, "scale", "narrow", "mean")


def extreme(network: Network, operator: Operator) -> Step:
    """Returns the largest or the smallest value over axes that are next to each other."""
    sign = 1 if operator.name == "REDUCE_MAX" else -1
    return _step(network, operator, [*_sizes(network, operator), sign], "extreme")


def _step(network: Network, operator: Operator, numbers: list[int], *kernels: str) -> Step:
    ends = f"{{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}"
    return Step(
        title=title(network, operator),
        code=f"model_{kernels[-1]}({ends}, {', '.join(map(str, numbers))});",
        kernels=kernels,
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def _sizes(network: Network, operator: Operator) -> tuple[int, int, int]:
    """Returns the numbers of values before, along and behind the axes that are reduced."""
    given, axes = (network.tensors[i] for i in operator.inputs)
    if axes.data is None:
        raise unsupported(operator, "over computed axes")
    chosen = sorted({int(axis) % len(given.shape) for axis in axes.data.reshape(-1)})
    chosen = [axis for axis in chosen if given.shape[axis] > 1] or chosen[:1]
    if chosen != list(range(chosen[0], chosen[-1] + 1)):
        raise unsupported(operator, f"over axes {chosen}")
    ends = (chosen[0], chosen[-1] + 1)
    return (
        math.prod(given.shape[: ends[0]]),
        math.prod(given.shape[ends[0] : ends[1]]),
        math.prod(given.shape[ends[1] :]),
    )
