"""Puts recurrent layers in the place of their marks: in float, and around the quantizer.

The quantizer knows no loop and no custom operator. It is shown an LSTM operator in the place of
each layer, with the ranges of the layer's input and output; afterwards the layer itself is put in,
between the units that the quantizer has chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import tflite_values
from export.convert.tflite.flatbuffer import pack, unpack
from export.convert.tflite.ranges import quantization
from export.convert.tflite.recurrent.builder import (
    CODES,
    TYPES,
    Builder,
    drop_unread,
    without_unread,
)
from export.convert.tflite.recurrent.choice import FUSED, Layer
from export.convert.tflite.recurrent.fused import LSTM, add_lstm, share_unit, with_resets
from export.convert.tflite.recurrent.loop import add_loop
from export.convert.tflite.recurrent.marks import NAME
from export.convert.tflite.recurrent.ranges import Ranges, ranges_of
from export.convert.tflite.recurrent.stand_ins import add_dense, empty_lstm
from export.convert.tflite.rewrites.products import products_in_16_bits
from export.convert.tflite.rewrites.units import in_one_unit

OUTPUT = "recurrent_{}"  # what a layer's output is called, by which it is found again
WEIGHT_TYPES = {"float32": TYPES.FLOAT32, "float16": TYPES.FLOAT16, "int8": TYPES.INT8}


@dataclass(kw_only=True)
class Marked:
    """A converted model with marks.

    Attributes:
        content: the float file; its marks are custom operators, which no interpreter runs.
        layers: what belongs there, by the number of the mark.
        ranges: of what each computes, once that is known.
    """

    content: bytes
    layers: Sequence[Layer]
    ranges: dict[int, Ranges] = field(default_factory=dict)


def in_float(marked: Marked, weights: str = "float32") -> bytes:
    """Returns the model with its recurrent layers, computing in float.

    Args:
        marked: the model.
        weights: the type that the layers' weights are stored in.
    """
    tree = unpack(marked.content)
    stored = WEIGHT_TYPES[weights]

    def put(on: Builder, number: int, inputs: list[int], output: int) -> None:
        layer = marked.layers[number]
        x, mask = inputs[0], inputs[1] if len(inputs) > 1 else None
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
        )

    operators = _replaced(tree, put)
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
    for number, operator in marks.items():
        layer = marked.layers[number]
        x, *mask = (np.concatenate(kept[names[index]]) for index in operator.inputs)
        marked.ranges[number] = ranges_of(
            layer.cell, x, mask[0] if mask else None, go_backwards=layer.go_backwards
        )
    marked.content = pack(tree, len(marked.content))


def show(tree: Any, marked: Marked, activations: str) -> None:
    """Shows the quantizer an operator that it knows in the place of each mark.

    To 8 bits, that is an LSTM; to 16, which it has no LSTM of, a dense layer of each step.

    Args:
        tree: the model with marks, and the ranges of the tensors of its main graph.
        marked: its layers and their ranges.
        activations: the type that the quantizer makes, `int8` or `int16`.
    """

    def put(on: Builder, number: int, inputs: list[int], output: int) -> None:
        layer = marked.layers[number]
        if activations == "int16":
            on.graph.tensors[output].quantization = quantization(*marked.ranges[number].outputs)
            add_dense(on, layer, inputs[0], output, OUTPUT.format(number))
            if len(inputs) > 1:
                _add_output(tree, inputs[1])
            return
        is_lstm = layer.way == FUSED
        made = add_lstm(
            on,
            layer.cell if is_lstm else empty_lstm(layer.cell, on.shape_of(inputs[0])[-1]),
            x=inputs[0],
            output=output,
            sequences=layer.sequences,
            go_backwards=layer.go_backwards and is_lstm,
            ranges=marked.ranges[number],
        )
        if not layer.sequences:
            on.graph.tensors[made.outputs[0]].name = (OUTPUT.format(number) + "_steps").encode()
        if not is_lstm and len(inputs) > 1:
            _add_output(tree, inputs[1])  # of a mask that nothing reads, nothing would be left
        on.graph.tensors[output].quantization = quantization(*marked.ranges[number].outputs)

    tree.subgraphs[0].operators = _replaced(tree, put)


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
    masked = [
        n for n, layer in enumerate(marked.layers) if layer.call.masked and layer.way != FUSED
    ]
    masks = dict(zip(masked, _take_outputs(tree, len(masked)), strict=True))
    on = Builder(tree, graph, "recurrent")
    dropped: list[Any] = []
    for operator in graph.operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        if any(operator is each for each in dropped):
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
        )
    operators = products_in_16_bits(tree, in_one_unit(tree, on.made))
    operators = without_unread(tree, operators, CODES.NOT_EQUAL)  # masks; loops read ones and zeros
    graph.operators = with_resets(tree, operators, "recurrent_reset")
    drop_unread(tree)
    return pack(tree, len(content))


def _add_output(tree: Any, index: int) -> None:
    graph = tree.subgraphs[0]
    graph.outputs = np.append(graph.outputs, index).astype(np.int32)
    for signature in tree.signatureDefs or ():
        name = f"recurrent_mask_{len(graph.outputs)}".encode()
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


def mark_of(tree: Any, operator: Any) -> int | None:
    """Returns the number of the mark that an operator is; None if it is none."""
    code = tree.operatorCodes[operator.opcodeIndex]
    custom = (code.customCode or b"").decode()
    if code.builtinCode != CODES.CUSTOM or not custom.startswith(NAME):
        return None
    return int(custom.removeprefix(NAME))


def _replaced(tree: Any, put: Any) -> list[Any]:
    on = Builder(tree, tree.subgraphs[0], "recurrent")
    for operator in tree.subgraphs[0].operators:
        number = mark_of(tree, operator)
        if number is None:
            on.made.append(operator)
            continue
        on.prefix = OUTPUT.format(number)
        put(on, number, list(map(int, operator.inputs)), int(operator.outputs[0]))
    return on.made
