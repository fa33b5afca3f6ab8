"""Operators of 16-bit values, as loops compute them: products, sums, activations, units.

Sources: kernels/fully_connected.cc and kernels/internal/reference of LiteRT, named in each kernel.
"""

import math
from pathlib import Path

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.numbers import factor
from export.deploy.c.steps.step import Array, Step, braces, title, unsupported
from export.deploy.c.steps.weights.layers import TWICE

NARROW = "narrow16"
LEAST, MOST = -32768, 32767
MOST_SUM = (1 << 31) - 1
MANTISSA = 53  # bits of a double
LOWER = 22  # of these, in the lower one of two numbers
ROUGHLY = 1e-3  # how near to a power of two units count as one: CheckedLog2
SIGMOID = Path(__file__).with_name("sigmoid.txt")


def fully_connected(network: Network, operator: Operator) -> Step:
    """Returns a dense layer of 16-bit values and 8-bit weights of one scale.

    Raises:
        ArtifactError: weights are computed, have several scales, or sums may exceed 31 bits.
    """
    given, weights = (network.tensors[i] for i in operator.inputs[:2])
    output = network.tensors[operator.outputs[0]]
    rows, bias = weights.data, None
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = network.tensors[operator.inputs[2]].data
        if bias is None:
            raise unsupported(operator, "with a computed bias")
    if rows is None or rows.dtype != np.int8 or len(weights.scales) != 1:
        raise unsupported(operator, "of 16 bits with weights that are computed, or of many scales")
    count, n = rows.shape
    start = np.zeros(count, np.int64) if bias is None else bias.reshape(-1).astype(np.int64)
    largest = np.abs(rows.astype(np.int64)).sum(axis=1) * -LEAST + np.abs(start)
    if operator.options.fusedActivationFunction or largest.max(initial=0) > MOST_SUM:
        raise unsupported(operator, "of 16 bits with an activation, or sums of more than 31 bits")
    # in double, as FullyConnectedInt16 has it
    real = float(given.scales[0]) * float(weights.scales[0]) / float(output.scales[0])
    name = f"layer_{operator.place}"
    arrays = (
        Array(name=f"{name}_weights", values=rows.reshape(-1), aligned=True),
        Array(name=f"{name}_bias", values=start.astype(np.int32)),
    )
    numbers = [*(array.name for array in arrays), n, count, *_exact(real)]
    ends = f"{{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}"
    return Step(
        title=title(network, operator),
        code=f"static const MODEL_FLASH struct model_wide to = {braces(numbers)};\n"
        f"model_dense16({ends}, &to);",
        kernels=(NARROW, "dense16"),
        arrays=arrays,
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def _exact(real: float) -> list[int]:
    """Returns a double as two numbers and a shift to the right, and as TFLM has it."""
    share, power = math.frexp(real)
    whole = int(share * (1 << MANTISSA))
    shift = MANTISSA - power - LOWER
    multiplier, tflm_shift = factor(real)
    reduced = min((multiplier + (1 << 15)) >> 16, MOST)
    if not 0 < shift < 64:
        raise ValueError(f"got a factor of {real}")
    return [whole >> LOWER, whole & ((1 << LOWER) - 1), shift, reduced, 15 - tflm_shift]


def activation(network: Network, operator: Operator) -> Step:
    """Returns tanh or the logistic function of 16-bit values.

    Raises:
        ArtifactError: the unit of the input is one that LiteRT takes otherwise.
    """
    given = network.tensors[operator.inputs[0]]
    # TanhPrepare and SigmoidPrepare in kernels/activations.cc
    multiplier, shift = given.scale * 4096.0 * 3.0, 0
    power = math.log2(given.scale)
    left = 15 - 3 + round(power)
    is_power = abs(power - round(power)) < ROUGHLY
    if is_power and left in ((0,) if operator.name == "LOGISTIC" else (0, 1)):
        multiplier = float(3 << left)
    else:
        while multiplier <= MOST / 2.0 and shift <= 30:
            multiplier, shift = multiplier * 2.0, shift + 1
    if not 1 <= multiplier <= MOST:
        raise unsupported(operator, f"of values in units of {given.scale}")
    kind = "tanh16" if operator.name == "TANH" else "logistic16"
    numbers = [int(number) for number in SIGMOID.read_text(encoding="ascii").split()]
    array = Array(name="sigmoid", values=np.asarray(numbers, np.uint16))
    return Step(
        title=title(network, operator),
        code=f"model_{kind}({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, "
        f"{given.size}, {array.name}, {int(multiplier)}, {shift});",
        kernels=(kind,),
        arrays=(array,),
        inputs=operator.inputs,
        outputs=operator.outputs,
        in_place=True,
    )


def quantize(network: Network, operator: Operator) -> Step:
    """Returns the same values in another unit, of 8 or 16 bits, from 8 or 16 bits."""
    given, output = network.tensors[operator.inputs[0]], network.tensors[operator.outputs[0]]
    multiplier, shift = factor(float(given.scales[0]) / float(output.scales[0]))
    kinds = [each.dtype for each in (given, output)]
    if not set(kinds) <= {"int8", "int16"}:
        raise unsupported(operator, f"from {kinds[0]} to {kinds[1]}")
    name = "_".join(kind.removeprefix("int") for kind in kinds)
    low, high = (LEAST, MOST) if output.dtype == "int16" else (-128, 127)
    numbers = [given.size, given.zero_point, output.zero_point, low, high, multiplier, shift]
    return Step(
        title=title(network, operator),
        code=f"model_quantize_{name}({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, "
        f"{', '.join(map(str, numbers))});",
        kernels=(TWICE, f"quantize:{name}"),
        inputs=operator.inputs,
        outputs=operator.outputs,
        in_place=given.dtype == output.dtype,
    )


def parts(network: Network, operator: Operator) -> list[tuple[int, int, int]]:
    """Returns (part, whole, first byte) of a tensor that is split along its last axis.

    Raises:
        ArtifactError: the parts do not stand one behind the other.
    """
    index = operator.inputs[1 if operator.name == "SPLIT" else 0]
    given = network.tensors[index]
    at = network.tensors[operator.inputs[0 if operator.name == "SPLIT" else 2]].data
    axis = None if at is None else int(at.reshape(-1)[0]) % len(given.shape)
    if axis is None or math.prod(given.shape[:axis]) != 1:
        raise unsupported(operator, "of 16 bits along a computed axis, or not the first one")
    found, start = [], 0
    for made in operator.outputs:
        found.append((made, index, start))
        start += network.tensors[made].nbytes
    return found


def is_wide(network: Network, operator: Operator) -> bool:
    """Returns whether an operator reads or makes values of 16 bits."""
    tensors = [network.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
    return any(_is_wide(tensor) for tensor in tensors)


def _is_wide(tensor: Tensor) -> bool:
    return tensor.dtype == "int16"
