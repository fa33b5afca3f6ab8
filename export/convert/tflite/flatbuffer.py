"""Edits a `.tflite` flatbuffer after conversion: names, alignment, what is needless or twice."""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.inputs_outputs import arrange, quantize_idle, separate
from export.convert.tflite.pixels import give_back_bytes

BIAS = 2  # its place among the inputs of what multiplies by weights


def unshare(tree: Any) -> None:
    """Gives each tensor values of its own, and each operator a bias of its own.

    The quantizer to 16 bits (2.21) quantizes constants where they are stored, for each tensor and
    each operator that reads them. What several share, as the steps of a recurrent layer do their
    bias and their first step's values, would be quantized twice.
    """
    graph = tree.subgraphs[0]
    biases: set[int] = set()
    for operator in graph.operators:
        if len(operator.inputs) <= BIAS or operator.inputs[BIAS] < 0:
            continue
        index = int(operator.inputs[BIAS])
        if index in biases and tree.buffers[graph.tensors[index].buffer].data is not None:
            bias = copy.copy(graph.tensors[index])
            bias.name += f"/{len(graph.tensors)}".encode()
            graph.tensors.append(bias)
            operator.inputs = operator.inputs.copy()
            operator.inputs[BIAS] = len(graph.tensors) - 1
        biases.add(index)
    taken: set[int] = set()
    for tensor in graph.tensors:
        place = int(tensor.buffer)
        if place in taken and tree.buffers[place].data is not None:
            tree.buffers.append(schema.BufferT(data=tree.buffers[place].data))
            tensor.buffer = len(tree.buffers) - 1
        taken.add(place)


def _share(tree: Any) -> None:
    """Stores the same values once."""
    first: dict[bytes, int] = {}
    places: dict[int, int] = {}
    for number, buffer in enumerate(tree.buffers):
        if buffer.data is not None and len(buffer.data):
            content = np.asarray(buffer.data, np.uint8).tobytes()
            places[number] = first.setdefault(content, number)
    tensors = [tensor for graph in tree.subgraphs for tensor in graph.tensors]
    for tensor in tensors:
        tensor.buffer = places.get(int(tensor.buffer), int(tensor.buffer))
    drop_unread_buffers(tree)


def _drop_unread_tensors(tree: Any) -> None:
    """Removes tensors that nothing makes or reads any more.

    Interpreters give them no memory, so that what looks at every tensor, as litert-quantizer 0.11
    does, stops at them.
    """
    for number, graph in enumerate(tree.subgraphs):
        signatures = [each for each in tree.signatureDefs or () if each.subgraphIndex == number]
        named = [each for one in signatures for each in (*one.inputs, *one.outputs)]
        lists = [(graph, "inputs"), (graph, "outputs")]
        for operator in graph.operators:
            lists += [(operator, name) for name in ("inputs", "outputs", "intermediates")]
        used = {int(index) for owner, name in lists for index in _indices(owner, name)}
        used |= {int(each.tensorIndex) for each in named}
        kept = sorted(used - {-1})
        places = {old: new for new, old in enumerate(kept)} | {-1: -1}
        graph.tensors = [graph.tensors[index] for index in kept]
        for owner, name in lists:
            found = [places[int(index)] for index in _indices(owner, name)]
            setattr(owner, name, np.asarray(found, np.int32) if found else getattr(owner, name))
        for each in named:
            each.tensorIndex = places[int(each.tensorIndex)]


def drop_unread_buffers(tree: Any) -> None:
    """Empties the buffers that no tensor has any more."""
    used = {int(tensor.buffer) for graph in tree.subgraphs for tensor in graph.tensors}
    used |= {int(item.buffer) for item in tree.metadata or ()}
    for number in set(range(len(tree.buffers))) - used:
        tree.buffers[number].data = None


def _indices(owner: Any, name: str) -> Sequence[int]:
    found = getattr(owner, name)
    return () if found is None else found


def finish(
    model: bytes,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    flatten: bool = False,
    shared: Mapping[str, str] = MappingProxyType({}),
    pixels: tuple[str, ...] = (),
    dtype: str = "float32",
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> bytes:
    """Returns the model with its inputs and outputs as asked, aligned, without what is needless.

    The converter keeps the names of the signature apart and calls the tensors themselves
    `serving_default_image:0` and `StatefulPartitionedCall_1:0`.

    Args:
        model: the file's bytes.
        inputs: the names of the inputs, in order.
        outputs: the names of the outputs, in order.
        flatten: whether it is to be quantized: a needless flattening stays, and outputs that are
            inputs, or given twice, get no tensors of their own yet.
        shared: outputs that were taken out, and the inputs or outputs that they are.
        pixels: inputs of bytes from which what makes them real numbers was taken out.
        dtype: of real inputs and outputs.
        ranges: lowest and highest value of each input, where that is an integer type.
    """
    tree = unpack(model)
    graph = tree.subgraphs[0]
    arrange(tree, inputs, outputs, shared)
    if ranges is not None:
        quantize_idle(tree, dtype, ranges)
    give_back_bytes(tree, pixels)
    if not flatten:
        separate(tree, outputs)
    kept = {*map(int, graph.inputs), *map(int, graph.outputs)}
    for number, part in enumerate(tree.subgraphs):
        for index, tensor in enumerate(part.tensors):
            if number or index not in kept:
                tensor.name = _short(tensor.name)
    _type_unread(graph)
    if not flatten:
        _drop_flattening(tree)
        _drop_unread_tensors(tree)
        _share(tree)
    return pack(tree, len(model))


def has_loops(model: bytes) -> bool:
    """Returns whether a model has graphs besides its own, which loops and conditions run."""
    return int(schema.Model.GetRootAs(model, 0).SubgraphsLength()) > 1


def _short(name: bytes) -> str:
    """Returns a tensor's name without the names of the layers that were merged into its own.

    The converter joins them all, a fifth of a small convolutional network's file. The hash keeps
    names apart that begin alike, and depends on the name alone: files are compared by names.
    """
    first, *merged = name.decode().split(";")
    return f"{first}#{hashlib.sha256(name).hexdigest()[:4]}" if merged else first


def _type_unread(graph: Any) -> None:
    """Gives what a SPLIT writes and nothing reads the type of its other results.

    ai-edge-quantizer leaves it float, as the gate that an LSTM forgets nothing with at its first
    step, and XNNPACK refuses the operator.
    """
    read = {int(index) for op in graph.operators for index in op.inputs}
    read |= {int(index) for index in graph.outputs}
    for op in graph.operators:
        if op.builtinOptionsType != schema.BuiltinOptions.SplitOptions:
            continue
        used = [graph.tensors[index] for index in op.outputs if int(index) in read]
        for index in op.outputs:
            if int(index) not in read and used:
                tensor = graph.tensors[index]
                tensor.type, tensor.quantization = used[0].type, used[0].quantization


def _drop_flattening(tree: Any) -> None:
    """Removes a RESHAPE of the input that only a FULLY_CONNECTED reads.

    That operator flattens its input by itself (TFLite's reference kernel, fully_connected.cc). A
    microcontroller saves a copy of the input in the arena, and an operator to link.
    """
    graph = tree.subgraphs[0]
    codes = [tree.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators]
    if codes[:2] != [schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.FULLY_CONNECTED]:
        return
    flatten, dense, *rest = graph.operators
    flattened = flatten.outputs[0]
    read_elsewhere = any(flattened in op.inputs for op in rest) or flattened in graph.outputs
    from_input = flatten.inputs[0] in graph.inputs
    if from_input and not read_elsewhere and not dense.builtinOptions.keepNumDims:
        dense.inputs = np.concatenate((flatten.inputs[:1], dense.inputs[1:]))
        graph.operators = [dense, *rest]
