"""Weights of recurrent operators and of loops, which ONNX Runtime's quantizers leave in float.

They are stored in 8 bits and computed with in float. A Cast and a product turn them back, which
ONNX Runtime does once, as it loads the file: DequantizeLinear it does at each run, which takes an
LSTM of one step twice as long.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx

from export.convert.onnx.graph.arrange import bodies, delete
from export.convert.onnx.graph.layers import attributes_of
from export.convert.onnx.recurrent.operators import OPERATORS
from export.verify.graph.products import MIN_LOOPED

IN_LOOPS = ("MatMul", "Gemm", "Conv")

LARGEST = 127


def store_in_8_bits(graph: onnx.GraphProto) -> None:
    """Stores the weights of recurrent operators, and of products in loops, in 8 bits.

    Each output has its scale: a row of a gate's weights, a channel of a convolution's.
    """
    inner = list(_inside(graph))
    stored = {tensor.name: tensor for found in (graph, *inner) for tensor in found.initializer}
    varying = dict(_weights(graph))
    reads = Counter(n for found in (graph, *inner) for node in found.node for n in node.input)
    uses = Counter(name for name, _ in _weights(graph))
    turned: list[onnx.NodeProto] = []
    for name, axes in varying.items():
        tensor = stored.get(name)
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        if values.size < MIN_LOOPED or reads[name] > uses[name]:
            continue
        for found in (graph, *inner):
            same = [i for i, each in enumerate(found.initializer) if each.name == name]
            delete(found.initializer, same)
        integers, scale = f"{name}_8_bits", f"{name}_scale"
        for given, array in zip((integers, scale), _in_8_bits(values, axes), strict=True):
            graph.initializer.append(onnx.numpy_helper.from_array(array, given))
        numbers = f"{name}_numbers"
        make = onnx.helper.make_node
        turned.append(make("Cast", [integers], [numbers], to=onnx.TensorProto.FLOAT))
        turned.append(make("Mul", [numbers, scale], [name]))
    nodes = [*turned, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _weights(
    graph: onnx.GraphProto, *, in_loop: bool = False
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields the names of weights, and the axes over which they vary from output to output."""
    for node in graph.node:
        if node.op_type in OPERATORS.values():
            yield from ((name, (0, 1)) for name in node.input[1:3])
        elif in_loop and node.op_type in IN_LOOPS:
            rows = node.op_type == "Conv" or attributes_of(node).get("transB", 0)
            yield node.input[1], (0 if rows else -1,)
        for body in bodies(node):
            yield from _weights(body, in_loop=True)


def _in_8_bits(values: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns weights as int8, and float32 numbers, one for each output, to multiply them by."""
    kept = {axis % values.ndim for axis in axes}
    over = tuple(axis for axis in range(values.ndim) if axis not in kept)
    largest = np.abs(values).max(axis=over, keepdims=True)
    scales = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
    return np.round(values / scales).astype(np.int8), scales


def _inside(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    for node in graph.node:
        for body in bodies(node):
            yield body
            yield from _inside(body)
