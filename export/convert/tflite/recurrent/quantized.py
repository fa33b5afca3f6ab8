"""What the quantizer is shown of recurrent layers, and the layers in its place afterwards.

The quantizer knows no loop and no custom operator. It is shown an LSTM operator in the place of
each layer, with the ranges of the layer's input and output, and a dense layer in that of each
state that is given or returned; afterwards the layer itself is put in, between the units that the
quantizer has chosen.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.calibrate.ranges import quantization
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.recurrent.body import ROOM
from export.convert.tflite.recurrent.builder import (
    CODES,
    TYPES,
    Builder,
    drop_unread,
    in_order,
    without_unread,
)
from export.convert.tflite.recurrent.choice import FUSED
from export.convert.tflite.recurrent.fused import LSTM, add_lstm, share_unit, with_resets
from export.convert.tflite.recurrent.loop import add_loop
from export.convert.tflite.recurrent.put_in import OUTPUT, Marked, replaced, taken_by
from export.convert.tflite.recurrent.stand_ins import add_dense, add_state, empty_lstm, states_in
from export.convert.tflite.rewrites.products import products_in_16_bits
from export.convert.tflite.rewrites.units import in_one_unit

# Of masks, which loops read as ones and zeros; of states that stood for others, or were kept.
IDLE = (CODES.NOT_EQUAL, CODES.STRIDED_SLICE, CODES.DEQUANTIZE)


def show(tree: Any, marked: Marked, activations: str) -> None:
    """Shows the quantizer an operator that it knows in the place of each mark.

    To 8 bits, that is an LSTM; to 16, which it has no LSTM of, a dense layer of each step.

    Args:
        tree: the model with marks, and the ranges of the tensors of its main graph.
        marked: its layers and their ranges.
        activations: the type that the quantizer makes, `int8` or `int16`.
    """
    marked.kept = []

    def put(on: Builder, number: int, inputs: list[int], outputs: list[int]) -> None:
        layer, output = marked.layers[number], outputs[0]
        x, mask, initial = taken_by(layer, inputs)
        if mask is not None and layer.way != FUSED:
            _keep(tree, marked, mask, number)  # of one that nothing reads, nothing would be left
        on.graph.tensors[output].quantization = quantization(*marked.ranges[number].outputs)
        if activations == "int16":
            add_dense(on, layer, x, output, OUTPUT.format(number))
        else:
            put_lstm(on, number, x, output)
        if initial or layer.later_states:
            put_states(on, number, initial, outputs)

    def put_states(on: Builder, number: int, initial: Sequence[int], outputs: list[int]) -> None:
        layer, ranges = marked.layers[number], marked.ranges[number]
        later = dict(zip(layer.later_states, outputs[1:], strict=True))
        first = outputs[0]
        if layer.sequences and later:
            first = on.tensor(on.shape_of(outputs[1]), TYPES.FLOAT32)
            on.graph.tensors[first].quantization = quantization(*ranges.outputs)
            on.slice_last(outputs[0], first)
        for state in range(layer.cell.states):
            is_given = bool(initial) and (number, state) not in marked.stored
            if not is_given and state not in later:
                continue
            given = initial[state] if is_given else first
            made = later.get(state)
            if made is None:
                made = on.tensor(on.shape_of(given), TYPES.FLOAT32)
            on.graph.tensors[made].quantization = quantization(*ranges.last[state])
            add_state(on, given, made, number, state)
            if made not in read:
                _keep(tree, marked, made, None)

    def put_lstm(on: Builder, number: int, x: int, output: int) -> None:
        layer = marked.layers[number]
        is_lstm = layer.way == FUSED
        made = add_lstm(
            on,
            layer.cell if is_lstm else empty_lstm(layer.cell, on.shape_of(x)[-1]),
            x=x,
            output=output,
            sequences=layer.sequences,
            go_backwards=layer.go_backwards and is_lstm,
            ranges=marked.ranges[number],
        )
        if not layer.sequences:
            on.graph.tensors[made.outputs[0]].name = (OUTPUT.format(number) + "_steps").encode()

    graph = tree.subgraphs[0]
    read = {int(index) for operator in graph.operators for index in operator.inputs}
    read |= {*map(int, graph.outputs)}
    tree.subgraphs[0].operators = replaced(tree, put)
    if activations == "int16" and marked.layers:
        for tensor in graph.tensors:
            found = tensor.quantization
            if found is not None and found.min is not None:
                found.min, found.max = found.min * ROOM, found.max * ROOM


def reveal(content: bytes, marked: Marked) -> bytes:
    """Returns a quantized model with the layers themselves, their states set back."""
    if not marked.layers:
        return content
    tree = unpack(content)
    graph = tree.subgraphs[0]
    readers: dict[int, list[Any]] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            readers.setdefault(int(index), []).append(operator)
    kept = zip(marked.kept, _take_outputs(tree, len(marked.kept)), strict=True)
    masks = {number: index for number, index in kept if number is not None}
    states = states_in(tree)
    missing = {n for n, layer in enumerate(marked.layers) if layer.way != FUSED}

    def first_state(number: int, state: int) -> int | np.ndarray:
        stored = marked.stored.get((number, state))
        return int(states[number, state].inputs[0]) if stored is None else stored

    on = Builder(tree, graph, "recurrent")
    dropped: list[Any] = []
    for operator in graph.operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        if any(operator is each for each in (*dropped, *states.values())):
            continue
        number = None
        if code in (LSTM, CODES.FULLY_CONNECTED):
            name = graph.tensors[operator.outputs[0]].name.decode()
            number = next(
                (
                    n
                    for n in marked.ranges
                    if name in (OUTPUT.format(n), OUTPUT.format(n) + "_steps")
                ),
                None,
            )
        if number is None or marked.layers[number].way == FUSED:
            if code == LSTM:
                share_unit(tree, operator)
            on.made.append(operator)
            continue
        layer = marked.layers[number]
        missing.discard(number)
        output = int(operator.outputs[0])
        if not layer.sequences:
            (last,) = readers[output]
            dropped.append(last)
            output = int(last.outputs[0])
        on.prefix = OUTPUT.format(number)
        add_loop(
            on,
            layer.cell,
            x=int(operator.inputs[0]),
            mask=masks.get(number),
            output=output,
            sequences=layer.sequences,
            go_backwards=layer.go_backwards,
            ranges=marked.ranges[number],
            zeros=layer.zeros,
            initial=[first_state(number, k) for k in range(layer.given_states)],
            last={
                k: int(states[number, k].outputs[0])
                for k in layer.later_states
                if (number, k) in states
            },
        )
    if missing:
        raise ValueError("a recurrent layer's output is read by nothing, but its states are")
    on.made = in_order(on.made)
    operators = products_in_16_bits(tree, in_one_unit(tree, on.made))
    operators = without_unread(tree, operators, *IDLE)
    graph.operators = with_resets(tree, operators, "recurrent_reset")
    drop_unread(tree)
    return pack(tree, len(content))


def _keep(tree: Any, marked: Marked, index: int, mask_of: int | None) -> None:
    """Has the quantizer keep a tensor that nothing else reads: as one more output."""
    marked.kept.append(mask_of)
    graph = tree.subgraphs[0]
    graph.outputs = np.append(graph.outputs, index).astype(np.int32)
    for signature in tree.signatureDefs or ():
        name = f"recurrent_kept_{len(graph.outputs)}".encode()
        signature.outputs.append(schema.TensorMapT(name=name, tensorIndex=index))


def _take_outputs(tree: Any, count: int) -> list[int]:
    """Takes out the last outputs of a model; returns which tensors they are."""
    graph = tree.subgraphs[0]
    own = len(graph.outputs) - count
    taken = list(map(int, graph.outputs[own:]))
    graph.outputs = graph.outputs[:own]
    for signature in tree.signatureDefs or ():
        signature.outputs = signature.outputs[:own]
    return taken
