"""Puts recurrent layers in the place of their marks in float, and finds the ranges of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from export.convert.calibrate.calibration import tflite_values
from export.convert.tflite.calibrate.ranges import quantization
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder, drop_unread
from export.convert.tflite.recurrent.choice import FUSED, Layer
from export.convert.tflite.recurrent.fused import add_lstm, with_resets
from export.convert.tflite.recurrent.loop import add_loop
from export.convert.tflite.recurrent.marks import NAME
from export.convert.tflite.recurrent.ranges import Ranges, ranges_of

Value = TypeVar("Value")
OUTPUT = "recurrent_{}"  # what a layer's output is called, by which it is found again
WEIGHT_TYPES = {"float32": TYPES.FLOAT32, "float16": TYPES.FLOAT16, "int8": TYPES.INT8}


@dataclass(kw_only=True)
class Marked:
    """A converted model with marks.

    Attributes:
        content: the float file; its marks are custom operators, which no interpreter runs.
        layers: what belongs there, by the number of the mark.
        ranges: of what each computes, once that is known.
        stored: states before the first step that the file has, by the marks and states, once that
            is known: (batch, units) float32.
        kept: what the quantizer is shown as outputs besides the model's own, so that it keeps them:
            the layer whose mask one is, None for a state.
    """

    content: bytes
    layers: Sequence[Layer]
    ranges: dict[int, Ranges] = field(default_factory=dict)
    stored: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    kept: list[int | None] = field(default_factory=list)


def in_float(marked: Marked, weights: str = "float32") -> bytes:
    """Returns the model with its recurrent layers, computing in float.

    Args:
        marked: the model.
        weights: the type that the layers' weights are stored in.
    """
    tree = unpack(marked.content)
    stored = WEIGHT_TYPES[weights]

    def put(on: Builder, number: int, inputs: list[int], outputs: list[int]) -> None:
        layer, output = marked.layers[number], outputs[0]
        x, mask, initial = taken_by(layer, inputs)
        if layer.way == FUSED:
            add_lstm(
                on,
                layer.cell,
                x=x,
                output=output,
                sequences=layer.sequences,
                go_backwards=layer.go_backwards,
                weights=stored,
            )
            return
        add_loop(
            on,
            layer.cell,
            x=x,
            mask=mask,
            output=output,
            sequences=layer.sequences,
            go_backwards=layer.go_backwards,
            ranges=None,
            weights=stored,
            zeros=layer.zeros,
            initial=initial,
            last=dict(zip(layer.later_states, outputs[1:], strict=True)),
        )

    operators = replaced(tree, put)
    tree.subgraphs[0].operators = with_resets(tree, operators, "recurrent_reset")
    drop_unread(tree)
    return pack(tree, len(marked.content))


def name_outputs(content: bytes) -> bytes:
    """Returns a file whose marked operators' outputs have names of their own."""
    tree = unpack(content)
    graph = tree.subgraphs[0]
    kept = {*map(int, graph.outputs)}
    for operator in graph.operators:
        number = mark_of(tree, operator)
        if number is not None and int(operator.outputs[0]) not in kept:
            graph.tensors[operator.outputs[0]].name = OUTPUT.format(number).encode()
    return pack(tree, len(content))


def calibrate(marked: Marked, twin: bytes, inputs: Mapping[str, np.ndarray]) -> None:
    """Finds the ranges of a marked model's activations, and of what its recurrent layers compute.

    Args:
        marked: the model; ranges are written into its file, and set.
        twin: the same in float, as `in_float` returns it.
        inputs: (N, …) by name.
    """
    tree = unpack(marked.content)
    graph = tree.subgraphs[0]
    marks = {
        number: operator
        for operator in graph.operators
        if (number := mark_of(tree, operator)) is not None
    }
    names = {i: graph.tensors[i].name.decode() for op in marks.values() for i in op.inputs}
    ends: dict[str, tuple[float, float]] = {}
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names.values()}
    for example in tflite_values(twin, inputs, names.values()):
        for name, value in example.items():
            if value.size and value.dtype == np.float32:
                low, high = ends.get(name, (np.inf, -np.inf))
                ends[name] = min(low, float(value.min())), max(high, float(value.max()))
        for name in kept.keys() & example.keys():
            kept[name].append(example[name])
    for tensor in graph.tensors:
        found = ends.get(tensor.name.decode())
        if found is not None and tensor.type == TYPES.FLOAT32:
            tensor.quantization = quantization(*found)
    values = {name: np.concatenate(each) for name, each in kept.items() if each}
    on = Builder(tree, graph, "")
    for number, operator in marks.items():
        layer = marked.layers[number]
        sequence, counts, first = taken_by(layer, list(map(int, operator.inputs)))
        x, mask = values[names[sequence]], None if counts is None else values[names[counts]]
        initial = []
        for state, index in enumerate(first):
            stored = on.stored(index)
            if stored is None:
                initial.append(values[names[index]])
                continue
            numbers = stored.view(np.float32).reshape(on.shape_of(index))
            marked.stored[number, state] = numbers
            initial.append(np.broadcast_to(numbers[:1], (len(x), layer.cell.units)))
        marked.ranges[number] = ranges_of(
            layer.cell, x, mask, go_backwards=layer.go_backwards, initial=initial
        )
    marked.content = pack(tree, len(marked.content))


def mark_of(tree: Any, operator: Any) -> int | None:
    """Returns the number of the mark that an operator is; None if it is none."""
    code = tree.operatorCodes[operator.opcodeIndex]
    custom = (code.customCode or b"").decode()
    if code.builtinCode != CODES.CUSTOM or not custom.startswith(NAME):
        return None
    return int(custom.removeprefix(NAME))


def taken_by(layer: Layer, inputs: Sequence[Value]) -> tuple[Value, Value | None, Sequence[Value]]:
    """Returns what of a mark's inputs is the sequence, the mask if any, and the first states."""
    x, *others = inputs
    if layer.call.masked:
        return x, others[0], others[1:]
    return x, None, others


def replaced(tree: Any, put: Callable[[Builder, int, list[int], list[int]], None]) -> list[Any]:
    """Returns the operators of a model's first graph with what is made in the place of marks.

    Args:
        tree: the model.
        put: makes it, from the number of the mark, its inputs and its outputs.
    """
    on = Builder(tree, tree.subgraphs[0], "recurrent")
    for operator in tree.subgraphs[0].operators:
        number = mark_of(tree, operator)
        if number is None:
            on.made.append(operator)
            continue
        on.prefix = OUTPUT.format(number)
        put(on, number, list(map(int, operator.inputs)), list(map(int, operator.outputs)))
    return on.made
