"""Gives the channels between two layers one size, where that loses less: the same function.

A ReLU takes factors along. So what a layer writes in a channel can be larger by a factor, if the
next layer's weights for it are smaller by it (cross-layer equalization, Nagel et al. 2019, arXiv
1906.04721; between activations and weights, Xiao et al. 2022, arXiv 2211.10438). One scale for all
channels leaves few steps to those that are small beside an outlier.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibration import tflite_values
from export.convert.tflite.flatbuffer import pack, unpack
from export.convert.tflite.rewrites.editor import CODES, Editor

LAYERS = (CODES.CONV_2D, CODES.DEPTHWISE_CONV_2D, CODES.FULLY_CONNECTED)
# Which treat each channel by itself and take factors along.
PASSING = (CODES.PAD, CODES.MAX_POOL_2D, CODES.AVERAGE_POOL_2D, CODES.MEAN, CODES.RESHAPE)
ACTIVATIONS = schema.ActivationFunctionType
LIMIT = 6.0  # of RELU6
LIMITED = 0.999 * LIMIT
STEPS, WEIGHT_STEPS = 255, 127
MOST = 1e3  # that a channel is made larger by
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
WORTH_DB, LEAST_DB = 6.0, 1.0  # of the noise between two layers: to try it at all, and for a pair
KERNEL, BIAS = 1, 2  # their places among a layer's inputs


@dataclass(frozen=True, kw_only=True)
class Channels:
    """What calibration examples say of a tensor's channels, (C,) each.

    Attributes:
        lows, highs: the extremes.
        powers: the mean squares.
    """

    lows: np.ndarray
    highs: np.ndarray
    powers: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """The largest absolute values."""
        sizes: np.ndarray = np.maximum(np.abs(self.lows), np.abs(self.highs))
        return sizes


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two layers with nothing between them that would not take factors along."""

    first: Any
    second: Any
    between: str


def equalized(content: bytes, inputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns a float model that computes the same in channels of about one size.

    Of a RELU6, channels that reach its limit keep their size, and others are limited at the highest
    value that they have on these examples, or above.

    Args:
        content: a float `.tflite` model.
        inputs: calibration examples (N, …) by name.

    Raises:
        ValueError: nothing is worth it.
    """
    tree = unpack(content)
    edit = Editor(tree)
    pairs = list(_pairs(edit))
    found = _channels(content, inputs, {pair.between for pair in pairs}) if pairs else {}
    best = 0.0
    for pair in pairs:
        if pair.between in found:
            factors, gained_db = _factors(edit, pair, found[pair.between])
            if gained_db >= LEAST_DB:
                _scale(edit, pair, factors)
                best = max(best, gained_db)
    if best < WORTH_DB:
        raise ValueError("no two layers have channels between them of so unlike sizes")
    return pack(tree, len(content))


def _pairs(edit: Editor) -> Iterator[_Pair]:
    readers: dict[int, list[Any]] = {}
    for operator in edit.graph.operators:
        for index in map(int, operator.inputs):
            readers.setdefault(index, []).append(operator)
    outputs = {*map(int, edit.graph.outputs)}

    def owned(operator: Any) -> bool:
        """Whether an operator's weights are stored, and no other's."""
        places = [int(i) for i in operator.inputs[KERNEL:] if i >= 0]
        return all(len(readers[i]) == 1 and edit.stored(i) is not None for i in places)

    for first in edit.graph.operators:
        if _code(edit, first) not in LAYERS or not owned(first):
            continue
        if first.builtinOptions.fusedActivationFunction not in (
            *(ACTIVATIONS.NONE, ACTIVATIONS.RELU, ACTIVATIONS.RELU6),
        ):
            continue
        index = int(first.outputs[0])
        while len(readers.get(index, [])) == 1 and index not in outputs:
            (reader,) = readers[index]
            code = _code(edit, reader)
            if code in LAYERS and int(reader.inputs[0]) == index and owned(reader):
                name = edit.graph.tensors[first.outputs[0]].name.decode()
                yield _Pair(first=first, second=reader, between=name)
            if code not in PASSING or not _keeps_channels(edit, reader):
                break
            index = int(reader.outputs[0])


def _keeps_channels(edit: Editor, operator: Any) -> bool:
    given, made = (
        edit.graph.tensors[operator.inputs[0]].shape,
        edit.graph.tensors[operator.outputs[0]].shape,
    )
    if given is None or made is None or not len(given) or not len(made) or given[-1] != made[-1]:
        return False
    if _code(edit, operator) == CODES.MEAN:
        axes = edit.stored(operator.inputs[1])
        return axes is not None and len(given) - 1 not in {int(axis) % len(given) for axis in axes}
    fused = getattr(operator.builtinOptions, "fusedActivationFunction", ACTIVATIONS.NONE)
    return bool(fused in (ACTIVATIONS.NONE, ACTIVATIONS.RELU))


def _channels(
    content: bytes, inputs: Mapping[str, np.ndarray], names: set[str]
) -> dict[str, Channels]:
    lows: dict[str, np.ndarray] = {}
    highs: dict[str, np.ndarray] = {}
    powers: dict[str, np.ndarray] = {}
    count = 0
    for values in tflite_values(content, inputs):
        count += 1
        for name in names & values.keys():
            rows = values[name].reshape(-1, values[name].shape[-1])
            low, high = rows.min(axis=0), rows.max(axis=0)
            power = np.mean(np.square(rows, dtype=np.float64), axis=0)
            lows[name] = np.minimum(lows.get(name, low), low)
            highs[name] = np.maximum(highs.get(name, high), high)
            powers[name] = powers.get(name, 0) + power
    return {
        name: Channels(lows=lows[name], highs=highs[name], powers=powers[name] / count)
        for name in lows
        if np.isfinite(lows[name]).all() and np.isfinite(highs[name]).all()
    }


def _factors(edit: Editor, pair: _Pair, found: Channels) -> tuple[np.ndarray, float]:
    """Returns by what the channels are made larger, (C,), and the decibels that this gains."""
    sizes = found.sizes.astype(np.float64)
    ones = np.ones(len(sizes))
    alive = sizes > sizes.max() / 1e6
    if not alive.any() or len(sizes) < 2:
        return ones, 0.0
    kernel = _kernel(edit, pair.second)
    is_depthwise = _code(edit, pair.second) == CODES.DEPTHWISE_CONV_2D
    if kernel.shape[-1] != len(sizes):
        return ones, 0.0
    rows = kernel.reshape(kernel.shape[0], -1, len(sizes)).astype(np.float64)

    def noise(factors: np.ndarray) -> float:
        """Of what the second layer adds up: by the steps of what it reads, and of its weights."""
        step = float((sizes * factors).max()) / STEPS
        if is_depthwise:  # a scale of its own for each channel's weights
            return float(np.sum((step / factors[alive]) ** 2 * (rows**2).sum((0, 1))[alive]))
        weights = rows / factors
        steps = np.abs(weights).max(axis=(1, 2)) / WEIGHT_STEPS
        power = float(np.sum((found.powers * factors**2)[alive])) * rows.shape[1]
        read = step**2 * float(np.sum(weights[..., alive] ** 2))
        return read + float(np.sum(steps**2)) * power

    room = np.minimum(sizes.max() / np.where(alive, sizes, sizes.max()), MOST)
    room[~alive] = room.max()  # whose weights are no outliers then either
    if pair.first.builtinOptions.fusedActivationFunction == ACTIVATIONS.RELU6:
        room[found.highs >= LIMITED] = 1.0
    tried = [room**power for power in POWERS]
    best = min(tried, key=noise)
    before, after = noise(ones), noise(best)
    return best, 10 * float(np.log10(before / after)) if after > 0 else 0.0


def _scale(edit: Editor, pair: _Pair, factors: np.ndarray) -> None:
    first, second = _kernel(edit, pair.first), _kernel(edit, pair.second)
    is_depthwise = _code(edit, pair.first) == CODES.DEPTHWISE_CONV_2D
    along = factors if is_depthwise else factors.reshape(-1, *[1] * (first.ndim - 1))
    _store(edit, pair.first.inputs[KERNEL], first * along)
    if len(pair.first.inputs) > BIAS and pair.first.inputs[BIAS] >= 0:
        bias = edit.stored(pair.first.inputs[BIAS])
        if bias is not None:
            _store(edit, pair.first.inputs[BIAS], bias * factors)
    _store(edit, pair.second.inputs[KERNEL], second / factors)


def _kernel(edit: Editor, operator: Any) -> np.ndarray:
    stored = np.asarray(edit.stored(operator.inputs[KERNEL]))  # which a layer of a pair has
    shaped: np.ndarray = stored.reshape(edit.graph.tensors[operator.inputs[KERNEL]].shape)
    return shaped


def _store(edit: Editor, index: int, values: np.ndarray) -> None:
    """Replaces the numbers of a stored tensor; its buffer may be others' too."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    edit.tree.buffers.append(buffer)
    edit.graph.tensors[index].buffer = len(edit.tree.buffers) - 1


def _code(edit: Editor, operator: Any) -> int:
    return int(edit.tree.operatorCodes[operator.opcodeIndex].builtinCode)
