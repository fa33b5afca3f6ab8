"""A recurrent layer as TFLite's WHILE, in float or in integers, of the same size for any steps.

The converter's own loops stay in float. In integers this one keeps 16 bits of the states, and of
all that a step computes, as the integer kernel of the fused LSTM keeps them of its carry: a state
of 8 bits is rounded anew at every step, and the roundings add up. Weights have 8 bits.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.recurrent.description import Cell
from export.convert.tflite.recurrent.body import HIGHEST, Body, state_scales
from export.convert.tflite.recurrent.builder import CODES, TYPES, YES_OR_NO, Builder
from export.convert.tflite.recurrent.equations import step
from export.convert.tflite.recurrent.ranges import Ranges

NO_STATES: Mapping[int, int] = MappingProxyType({})
ROOM = 64  # steps of 16 bits in one of 8: 255 of them fit


def add_loop(
    on: Builder,
    cell: Cell,
    *,
    x: int,
    mask: int | None,
    output: int,
    sequences: bool,
    go_backwards: bool,
    ranges: Ranges | None,
    weights: int = TYPES.INT8,
    zeros: bool = False,
    initial: Sequence[int | np.ndarray] = (),
    last: Mapping[int, int] = NO_STATES,
) -> None:
    """Makes the operators of a layer: a WHILE, and what becomes of its results.

    Args:
        on: where to.
        cell: the layer's cell.
        x: a tensor (batch, steps, features), float32 or int8.
        mask: a tensor (batch, steps) bool; None for none.
        output: the tensor that is the layer's output: (batch, steps, units) if `sequences`, else
            (batch, units); of the same type as x.
        sequences: whether it is the outputs of all steps.
        go_backwards: whether the last step is the first.
        ranges: of what a step computes; None for float.
        weights: the type that weights are stored in: float32, float16 or int8.
        zeros: whether the output of a step that does not count is zeros, instead of the last one's.
        initial: tensors (batch, units), the states before the first step, or their values; none for
            zeros.
        last: tensors (batch, units) that are to be states after the last step, by their numbers;
            in float not the first one, unless `sequences`.
    """
    batch, steps, _ = on.shape_of(x)
    is_float = ranges is None
    dtype = TYPES.FLOAT32 if is_float else TYPES.INT16
    scales: list[float | None] = [None] * cell.states
    if ranges is not None:
        scales = list(state_scales(cell, ranges))
    counter = on.constant(steps - 1 if go_backwards else 0, TYPES.INT32)
    given = [counter, x]
    if mask is not None:
        given.append(_ones_and_zeros(on, mask))
    state_place = len(given)
    nothing = np.zeros((batch, cell.units), np.float32)
    pairs = zip(initial or [nothing] * cell.states, scales, strict=True)
    given += [_first_state(on, state, dtype, scale) for state, scale in pairs]
    if sequences:
        given.append(_empty(on, output))

    def like(part: Builder) -> list[int]:
        found = []
        for index in given:
            tensor = on.graph.tensors[index]
            scale = on.scale_of(index) if _is_quantized(tensor) else ()
            found.append(part.tensor(on.shape_of(index), int(tensor.type), *scale))
        return found

    condition = _part(on, f"{on.prefix}/condition")
    places = like(condition)
    limit = condition.constant(0 if go_backwards else steps, TYPES.INT32)
    goes_on = condition.tensor((), TYPES.BOOL)
    code = CODES.GREATER_EQUAL if go_backwards else CODES.LESS
    condition.add(code, [places[0], limit], [goes_on])
    _finish(condition, places, [goes_on])

    body = _part(on, f"{on.prefix}/body")
    places = like(body)
    results = _step(
        body,
        cell,
        places,
        state_place,
        masked=mask is not None,
        zeros=zeros,
        sequences=sequences,
        direction=-1 if go_backwards else 1,
        ranges=ranges,
        weights=weights,
        output=None if is_float else on.scale_of(output),
    )
    _finish(body, places, results)
    outcome = like(on)
    if sequences:
        outcome[-1] = output
    elif is_float:
        outcome[state_place] = output
    if is_float:
        for number, state in last.items():
            outcome[state_place + number] = state
    numbers = [on.tree.subgraphs.index(part.graph) for part in (condition, body)]
    on.add(CODES.WHILE, given, outcome, condSubgraphIndex=numbers[0], bodySubgraphIndex=numbers[1])
    if not sequences and not is_float:
        on.add(CODES.QUANTIZE, [outcome[state_place]], [output])
    if not is_float:
        for number, state in last.items():
            on.add(CODES.QUANTIZE, [outcome[state_place + number]], [state])


def _first_state(on: Builder, state: int | np.ndarray, dtype: int, scale: float | None) -> int:
    """Returns a state as the loop has it, of a tensor or of values."""
    if not isinstance(state, int):
        stored = state if scale is None else np.clip(np.rint(state / scale), -HIGHEST, HIGHEST)
        return on.constant(stored, dtype, scale)
    if scale is None:
        return state
    found = on.tensor(on.shape_of(state), dtype, scale)
    on.add(CODES.QUANTIZE, [state], [found])
    return found


def _ones_and_zeros(on: Builder, mask: int) -> int:
    """Returns truth values as integers, which TFLM gathers, unlike themselves."""
    maker = next((each for each in on.made if mask in map(int, each.outputs)), None)
    if maker is not None and on.code_of(maker) == CODES.NOT_EQUAL:
        given = int(maker.inputs[0])
        stored = on.stored(int(maker.inputs[1]))
        is_zero = stored is not None and not stored.any()
        if is_zero and on.type_of(given) == TYPES.INT8 and on.scale_of(given) == YES_OR_NO:
            return given
    numbers = on.tensor(on.shape_of(mask), TYPES.INT8, *YES_OR_NO)
    on.add(CODES.CAST, [mask], [numbers])
    return numbers


def _empty(on: Builder, like: int) -> int:
    """Returns a tensor of zeros that an operator makes: stored, it would grow with the steps."""
    shape, dtype = on.shape_of(like), on.type_of(like)
    scale: tuple[float | None, int] = (None, 0) if dtype == TYPES.FLOAT32 else on.scale_of(like)
    narrow = TYPES.INT8 if dtype == TYPES.INT16 else dtype  # FILL has no kernel of 16 bits
    filled = on.tensor(shape, narrow, *scale)
    value = on.constant(scale[1], narrow, *scale)
    on.add(CODES.FILL, [on.constant(shape, TYPES.INT32), value], [filled])
    if narrow == dtype:
        return filled
    wide = on.tensor(shape, dtype, *scale)
    on.add(CODES.QUANTIZE, [filled], [wide])
    return wide


def _step(
    on: Builder,
    cell: Cell,
    places: list[int],
    state_place: int,
    *,
    masked: bool,
    zeros: bool,
    sequences: bool,
    direction: int,
    ranges: Ranges | None,
    weights: int,
    output: tuple[float, int] | None,
) -> list[int]:
    """Makes the body of the loop; returns what its next round begins with."""
    index, x = places[0], places[1]
    batch, _, features = on.shape_of(x)
    body = Body(on, batch, ranges, weights)
    unit = () if ranges is None else on.scale_of(x)
    now = on.tensor((batch, features), on.type_of(x), *unit)
    on.add(CODES.GATHER, [x, index], [now], axis=1, batchDims=0)
    if on.type_of(x) == TYPES.INT8:
        wide = on.tensor((batch, features), TYPES.INT16, on.scale_of(x)[0] / ROOM)
        on.add(CODES.QUANTIZE, [now], [wide])
        now = wide
    states = places[state_place : state_place + cell.states]
    after = list(step(body, cell, now, states))
    output_now = after[0]
    if masked:
        counts = _counts(on, places[2], index)
        after = [_chosen(on, counts, new, old) for new, old in zip(after, states, strict=True)]
        output_now = after[0]
        if zeros:
            scale = () if ranges is None else on.scale_of(output_now)
            nothing = on.constant(np.zeros((batch, cell.units)), body.dtype, *scale)
            output_now = _chosen(on, counts, output_now, nothing)
    following = on.tensor((), TYPES.INT32)
    on.add(CODES.ADD, [index, on.constant(direction, TYPES.INT32)], [following])
    results = [following, *places[1:state_place], *after]
    if sequences:
        results.append(_appended(on, places[-1], output_now, output))
    return results


def _counts(on: Builder, mask: int, index: int) -> int:
    """Returns which examples' step counts, (batch, 1) bool."""
    batch = on.shape_of(mask)[0]
    now = on.tensor((batch,), TYPES.INT8, *YES_OR_NO)
    on.add(CODES.GATHER, [mask, index], [now], axis=1, batchDims=0)
    column = on.tensor((batch, 1), TYPES.INT8, *YES_OR_NO)
    shape = [batch, 1]
    on.add(CODES.RESHAPE, [now, on.constant(shape, TYPES.INT32)], [column], newShape=shape)
    counts = on.tensor((batch, 1), TYPES.BOOL)
    on.add(CODES.NOT_EQUAL, [column, on.constant([[0]], TYPES.INT8, *YES_OR_NO)], [counts])
    return counts


def _chosen(on: Builder, counts: int, new: int, old: int) -> int:
    scale = on.scale_of(old) if on.type_of(old) == TYPES.INT16 else ()
    chosen = on.tensor(on.shape_of(old), on.type_of(old), *scale)
    on.add(CODES.SELECT_V2, [counts, new, old], [chosen])
    return chosen


def _appended(on: Builder, sequence: int, h: int, output: tuple[float, int] | None) -> int:
    """Returns a sequence without its first step, and a state in the place of its last."""
    batch, steps, units = on.shape_of(sequence)
    dtype, scale = on.type_of(sequence), output or ()
    if output is not None:
        narrow = on.tensor((batch, units), dtype, *output)
        on.add(CODES.QUANTIZE, [h], [narrow])
        h = narrow
    last = on.tensor((batch, 1, units), dtype, *scale)
    shape = [batch, 1, units]
    on.add(CODES.RESHAPE, [h, on.constant(shape, TYPES.INT32)], [last], newShape=shape)
    if steps == 1:
        return last
    rest = on.tensor((batch, steps - 1, units), dtype, *scale)
    ends = (np.array([0, 1, 0]), np.zeros(3), np.ones(3))
    places = [on.constant(values, TYPES.INT32) for values in ends]
    on.add(CODES.STRIDED_SLICE, [sequence, *places], [rest], beginMask=0b101, endMask=0b111)
    whole = on.tensor((batch, steps, units), dtype, *scale)
    on.add(CODES.CONCATENATION, [rest, last], [whole], axis=1)
    return whole


def _part(on: Builder, prefix: str) -> Builder:
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.name = [], [], prefix.encode()
    on.tree.subgraphs.append(graph)
    return Builder(on.tree, graph, "t")  # a short name for each tensor: they are many


def _finish(part: Builder, inputs: list[int], outputs: list[int]) -> None:
    part.graph.inputs = np.asarray(inputs, np.int32)
    part.graph.outputs = np.asarray(outputs, np.int32)
    part.graph.operators = part.made


def _is_quantized(tensor: Any) -> bool:
    found = tensor.quantization
    return found is not None and found.scale is not None and len(found.scale) > 0
