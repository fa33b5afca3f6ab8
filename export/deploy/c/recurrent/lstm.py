"""The fused LSTM in integers: 8 bits of input, weights and output, 16 bits of the carry.

Source: EvalInteger8x8_16 in tensorflow/lite/kernels/lstm_eval.cc, and
PopulateQuantizedLstmParams8x8_16 in unidirectional_sequence_lstm.cc for its factors.
"""

import math

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.numbers import factor
from export.deploy.c.steps.step import Array, Step, braces, shape, side_by_side, unsupported
from export.deploy.c.steps.weights.layers import TWICE
from export.deploy.c.steps.weights.packing import PLAIN
from train.common.errors import ArtifactError

DOT = ("dot_hosts", "dot_cores", "dot")
DOT_WASM = ("sixteen", "dot_wasm")
GATES = 4  # input, forget, cell, output, as the operator's inputs have them
WEIGHTS, RECURRENT, PEEPHOLES, BIASES, REST = 1, 5, 9, 12, 16
H, C = 18, 19  # the states' places among the inputs
GATE_SCALE = np.float32(2**-12)  # of what goes into the gates' activations
LEFT_OUT = (*range(PEEPHOLES, BIASES), *range(REST, H), *range(C + 1, C + 5))


def lstm(network: Network, operator: Operator, last: int | None) -> Step:
    """Returns a whole LSTM, all steps of it, from states of zeros on.

    Args:
        network: the file.
        operator: the LSTM.
        last: the tensor that is the last step's output, if that is all that is read.

    Raises:
        ArtifactError: it is of another kind: coupled gates, peepholes, projection, normalization,
            clipping, time before batch, or other types.
    """
    tensors = network.tensors
    given, state, carry = (tensors[operator.inputs[i]] for i in (0, H, C))
    weights, recurrent, biases = (
        [tensors[i] for i in operator.inputs[at : at + GATES]]
        for at in (WEIGHTS, RECURRENT, BIASES)
    )
    options = operator.options
    types = [each.dtype for each in (given, *weights, *recurrent, state, carry)]
    power = math.log2(carry.scale) if len(carry.scales) else 0.5
    if (
        any(operator.inputs[i] >= 0 for i in LEFT_OUT if i < len(operator.inputs))
        or min(operator.inputs[at] for at in range(WEIGHTS, PEEPHOLES)) < 0
        or options.cellClip
        or options.projClip
        or options.timeMajor
        or len(given.shape) != 3
        or types != ["int8"] * 10 + ["int16"]
        or not power.is_integer()
        or not -15 <= power <= -9  # what its kernels have tanh for
    ):
        raise ArtifactError(
            "there is no kernel for an LSTM operator with coupled gates, peepholes, projection, "
            "normalization, clips or other types; export the integer file with --recurrent loop"
        )
    steps, features = given.shape[1:]
    units = state.shape[1]
    arrays = _arrays(operator, given, state, weights, recurrent, biases)
    hidden = tensors[operator.intermediates[-1]]
    factors = [
        factor(float(each.scales[0] * source.scales[0] / GATE_SCALE))
        for source, group in ((given, weights), (state, recurrent))
        for each in group
    ]
    output = factor(float(np.float32(2**-15 / float(hidden.scales[0]) * 2**-15)))
    numbers = [
        *(array.name for array in arrays),
        *(braces([m for m, _ in factors]), braces([s for _, s in factors])),
        *(steps, features, units, int(last is None), int(power), *output, hidden.zero_point),
    ]
    target = operator.outputs[0] if last is None else last
    return Step(
        title=f"{operator.name}: {shape(given)} -> {shape(tensors[target])}",
        code=f"static const MODEL_FLASH struct model_lstm at = {braces(numbers)};\n"
        f"model_lstm({{t{operator.inputs[0]}}}, {{t{target}}}, {{scratch}}, &at);",
        kernels=(
            *(TWICE, "narrow", "narrow16"),
            *(DOT_WASM if network.optimize == PLAIN else ()),
            *(*DOT, "exp16", "lstm"),
        ),
        arrays=arrays,
        inputs=operator.inputs[:1],
        outputs=(target,),
        scratch=2 * (GATES + 1) * units,
        wide_scratch=True,
    )


def _arrays(
    operator: Operator,
    given: Tensor,
    state: Tensor,
    weights: list[Tensor],
    recurrent: list[Tensor],
    biases: list[Tensor],
) -> tuple[Array, ...]:
    """Returns weights of all gates, and what their sums begin with, for inputs and for states."""
    found = []
    for kind, source, group in (("input", given, weights), ("state", state, recurrent)):
        data = [each.data for each in group]
        if any(each is None for each in data):
            raise unsupported(operator, "with computed weights")
        rows = np.concatenate([np.asarray(each) for each in data])
        start = -source.zero_point * rows.astype(np.int64).sum(axis=1)
        if kind == "input":
            added = [each.data for each in biases]
            if any(each is None for each in added):
                raise unsupported(operator, "with a computed bias, or none")
            start += np.concatenate([np.asarray(each).reshape(-1) for each in added])
        name = f"layer_{operator.place}_{kind}"
        found += [
            Array(name=f"{name}_weights", values=side_by_side(rows), aligned=True),
            Array(name=f"{name}_bias", values=start.astype(np.int32)),
        ]
    return tuple(found)
