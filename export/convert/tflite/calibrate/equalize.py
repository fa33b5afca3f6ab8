"""Channels of one size between two layers of a float `.tflite` file: the same function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import tflite_values
from export.convert.calibrate.equalize import (
    LEAST_DB,
    NOT_WORTH,
    WORTH_DB,
    Channels,
    channels_of,
    factors_of,
)
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.rewrites.editor import CODES, Editor

LAYERS = (CODES.CONV_2D, CODES.DEPTHWISE_CONV_2D, CODES.FULLY_CONNECTED)
# Which treat each channel by itself and take factors along.
PASSING = (CODES.PAD, CODES.MAX_POOL_2D, CODES.AVERAGE_POOL_2D, CODES.MEAN, CODES.RESHAPE)
ACTIVATIONS = schema.ActivationFunctionType
LIMIT = 6.0  # of RELU6
KERNEL, BIAS = 1, 2  # their places among a layer's inputs


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two layers with nothing between them that would not take factors along.

    Attributes:
        first, second: the operators.
        between: the name of the tensor whose channels are looked at: what the first one writes, or
            a concatenation with it.
        start: where there its channels begin.
    """

    first: Any
    second: Any
    between: str
    start: int


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
    axes = {pair.between: -1 for pair in pairs}
    found = channels_of(tflite_values(content, inputs), axes) if pairs else {}
    best = 0.0
    for pair in pairs:
        if pair.between in found:
            factors, gained_db = _factors(edit, pair, found[pair.between])
            if gained_db >= LEAST_DB:
                _scale(edit, pair, factors)
                found[pair.between] = found[pair.between].larger(factors)
                best = max(best, gained_db)
    if best < WORTH_DB:
        raise ValueError(NOT_WORTH)
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
        if edit.code(first) not in LAYERS or not owned(first):
            continue
        if first.builtinOptions.fusedActivationFunction not in (
            *(ACTIVATIONS.NONE, ACTIVATIONS.RELU, ACTIVATIONS.RELU6),
        ):
            continue
        index = between = int(first.outputs[0])
        start = 0
        while len(readers.get(index, [])) == 1 and index not in outputs:
            (reader,) = readers[index]
            code = edit.code(reader)
            if code in LAYERS and int(reader.inputs[0]) == index and owned(reader):
                name = edit.graph.tensors[between].name.decode()
                yield _Pair(first=first, second=reader, between=name, start=start)
            if code == CODES.CONCATENATION and _is_of_channels(edit, reader):
                start += _channels_before(edit, reader, index)
                between = int(reader.outputs[0])
            elif code not in PASSING or not _keeps_channels(edit, reader):
                break
            index = int(reader.outputs[0])


def _keeps_channels(edit: Editor, operator: Any) -> bool:
    given, made = (
        edit.graph.tensors[operator.inputs[0]].shape,
        edit.graph.tensors[operator.outputs[0]].shape,
    )
    if given is None or made is None or not len(given) or not len(made) or given[-1] != made[-1]:
        return False
    if edit.code(operator) == CODES.MEAN:
        axes = edit.stored(operator.inputs[1])
        return axes is not None and len(given) - 1 not in {int(axis) % len(given) for axis in axes}
    fused = getattr(operator.builtinOptions, "fusedActivationFunction", ACTIVATIONS.NONE)
    return bool(fused in (ACTIVATIONS.NONE, ACTIVATIONS.RELU))


def _is_of_channels(edit: Editor, operator: Any) -> bool:
    """Whether a concatenation puts channels beside each other, as they are."""
    dimensions = len(edit.graph.tensors[operator.outputs[0]].shape)
    options = operator.builtinOptions
    return bool(
        options.axis % dimensions == dimensions - 1
        and options.fusedActivationFunction == ACTIVATIONS.NONE
    )


def _channels_before(edit: Editor, operator: Any, index: int) -> int:
    parts = [int(part) for part in operator.inputs]
    return sum(int(edit.graph.tensors[part].shape[-1]) for part in parts[: parts.index(index)])


def _factors(edit: Editor, pair: _Pair, found: Channels) -> tuple[np.ndarray, float]:
    """Returns by what the channels are made larger, (C,), and the decibels that this gains."""
    kernel = _kernel(edit, pair.second)
    is_limited = pair.first.builtinOptions.fusedActivationFunction == ACTIVATIONS.RELU6
    return factors_of(
        found,
        kernel.reshape(kernel.shape[0], -1, kernel.shape[-1]),
        own_scales=edit.code(pair.second) == CODES.DEPTHWISE_CONV_2D,
        limit=LIMIT if is_limited else None,
        own=_own(edit, pair),
    )


def _own(edit: Editor, pair: _Pair) -> slice:
    count = int(edit.graph.tensors[pair.first.outputs[0]].shape[-1])
    return slice(pair.start, pair.start + count)


def _scale(edit: Editor, pair: _Pair, factors: np.ndarray) -> None:
    first, second = _kernel(edit, pair.first), _kernel(edit, pair.second)
    own = factors[_own(edit, pair)]
    is_depthwise = edit.code(pair.first) == CODES.DEPTHWISE_CONV_2D
    along = own if is_depthwise else own.reshape(-1, *[1] * (first.ndim - 1))
    edit.store(pair.first.inputs[KERNEL], (first * along).astype(np.float32))
    if len(pair.first.inputs) > BIAS and pair.first.inputs[BIAS] >= 0:
        bias = edit.stored(pair.first.inputs[BIAS])
        if bias is not None:
            edit.store(pair.first.inputs[BIAS], (bias * own).astype(np.float32))
    edit.store(pair.second.inputs[KERNEL], (second / factors).astype(np.float32))


def _kernel(edit: Editor, operator: Any) -> np.ndarray:
    stored = np.asarray(edit.stored(operator.inputs[KERNEL]))  # which a layer of a pair has
    shaped: np.ndarray = stored.reshape(edit.graph.tensors[operator.inputs[KERNEL]].shape)
    return shaped
