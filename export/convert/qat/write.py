"""Writes trained weights into a copy of the file that they were read from."""

import copy
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.graph import Operator, graphs_of
from export.convert.qat.network import Network
from export.convert.qat.weights import factors_of
from export.convert.tflite.recurrent.builder import drop_unread


def write(tree: Any, network: Network) -> None:
    """Puts the integers and the scales of a network's weights into the file that it simulates.

    Args:
        tree: the file as the schema's objects, which is changed.
        network: made of the same.
    """
    weights = network.weights
    for kernel in {id(each): each for each in weights.kernels.values()}.values():
        steps, scales = kernel.value().data.numpy(), kernel.scales().numpy()
        stored = (steps + kernel.first.zero_point).astype(kernel.first.dtype)
        _store(tree, kernel.tensors, stored, scales)
    written: dict[tuple[int, int], bytes] = {}
    for graph in graphs_of(tree):  # with the new scales of kernels
        for op in graph.operators:
            for place, tensor in enumerate(op.inputs):
                factors = factors_of(op, place)
                if tensor is None or factors is None:
                    continue
                key = graph.number, tensor.index
                if key in weights.biases:
                    x, w = (op.given(each) for each in factors)
                    unit = np.asarray(x.step * w.scale, np.float32)
                    if written.setdefault(key, unit.tobytes()) != unit.tobytes():
                        place_of = _copied(tree, graph.number, op, place)
                        _store(tree, [place_of], weights.biases[key].steps(unit), unit)
                    else:
                        _store(tree, [key], weights.biases[key].steps(unit), unit)
    drop_unread(tree)


def _copied(tree: Any, graph: int, op: Operator, place: int) -> tuple[int, int]:
    """Gives an operator an input of its own, where others read it in another unit."""
    tensors = tree.subgraphs[graph].tensors
    tensors.append(copy.deepcopy(tensors[op.source.inputs[place]]))
    places = np.array(op.source.inputs)
    places[place] = len(tensors) - 1
    op.source.inputs = places
    return graph, len(tensors) - 1


def _store(
    tree: Any, places: list[tuple[int, int]], numbers: np.ndarray, scales: np.ndarray
) -> None:
    data = np.frombuffer(np.ascontiguousarray(numbers).tobytes(), np.uint8)
    tree.buffers.append(schema.BufferT(data=data))
    for graph, index in places:
        tensor = tree.subgraphs[graph].tensors[index]
        tensor.buffer = len(tree.buffers) - 1
        tensor.quantization.scale = np.asarray(scales, np.float32)
        if len(tensor.quantization.zeroPoint) != len(scales):
            tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
