"""Reads the graph of an `.onnx` file."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from export.verify.graph.contents import Graph
from export.verify.graph.depth import Layers, Step, longest_path
from export.verify.graph.onnx_file import Node, OnnxGraph, Tensor, read_onnx_graph
from export.verify.graph.products import (
    INTEGER,
    MIN_LOOPED,
    PRODUCTS,
    RECURRENT,
    TABLES,
    Weights,
    precisions,
)

# What moves numbers without computing any.
MOVES = (
    *("Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice"),
    *("Split", "Squeeze", "Transpose", "Unsqueeze"),
)
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
LOOPS = ("Loop", "Scan")
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def read_onnx(path: Path) -> Graph:
    """Returns the graph in an `.onnx` file.

    Raises:
        ArtifactError: it is not one.
    """
    graph = read_onnx_graph(path)
    floats: list[str] = []
    made_by = {name: node for node in graph.nodes for name in node.outputs}
    kernels: list[np.ndarray] = []
    for node in graph.nodes:
        if node.operator in ("MatMul", "Gemm", "Conv"):
            sources = [made_by.get(name) for name in node.inputs[:2]]
            if any(source is None or source.operator != DEQUANTIZE for source in sources):
                floats.append(node.operator)
            weight = sources[1].inputs[0] if sources[1] is not None else node.inputs[1]
            kernel = graph.stored[weight].values() if weight in graph.stored else None
            if kernel is not None:
                kernels.append(kernel)
    weights: list[Weights] = []
    steps = _steps(graph, dict(graph.stored), weights)
    numbers, layers = precisions(weights)
    looped = [each for each in weights if each.looped and each.size >= MIN_LOOPED]
    floats += [each.operator for each in looped if each.dtype == "float32"]
    return Graph(
        operators=tuple(node.operator for node in graph.nodes),
        float_operators=tuple(floats),
        foreign_operators=tuple(n.operator for n in graph.nodes if n.domain not in DOMAINS),
        depth=longest_path(steps),
        kernels=tuple(kernels),
        weights=numbers,
        activations=layers,
        products=tuple({found.key: found for found in weights}.values()),
        between=tuple(_between(graph, made_by)),
        stored_bytes=sum(tensor.nbytes for tensor in _constants(graph, {}).values()),
        inner_operators=_operator_count(graph) - len(graph.nodes),
    )


def _operator_count(graph: OnnxGraph) -> int:
    bodies = (body for node in graph.nodes for body in node.bodies)
    return len(graph.nodes) + sum(map(_operator_count, bodies))


def _between(graph: OnnxGraph, made_by: Mapping[str, Node]) -> Iterator[str]:
    """Yields the operators that read or write numbers which nothing quantizes.

    What has a conversion before and behind it, a runtime may compute in integers.
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    quantized = Counter(
        node.inputs[0] for node in graph.nodes if node.operator == QUANTIZE and node.inputs
    )
    for node in graph.nodes:
        makers = [made_by[name] for name in node.inputs if name in made_by]
        before = all(maker.operator == DEQUANTIZE for maker in makers)
        behind = all(0 < readers[name] == quantized[name] for name in node.outputs)
        own = node.operator in (QUANTIZE, DEQUANTIZE) or (node.operator in PRODUCTS and before)
        if not own and node.operator not in MOVES and not (makers and before and behind):
            yield node.operator


def _constants(graph: OnnxGraph, around: Mapping[str, Tensor]) -> dict[int, Tensor]:
    """Returns the stored tensors that nodes read, in bodies of loops and branches too, each once.

    Args:
        graph: a graph, or the body of a loop or branch.
        around: tensors of the graphs around it, by name.
    """
    known = {**around, **graph.stored}
    found: dict[int, Tensor] = {}
    for node in graph.nodes:
        tensors = [known[name] for name in node.inputs if name in known]
        tensors += [node.tensor] if node.tensor else []
        found |= {id(tensor): tensor for tensor in tensors}
        for body in node.bodies:
            found |= _constants(body, known)
    return found


def _steps(
    graph: OnnxGraph, stored: dict[str, Tensor], weights: list[Weights], *, looped: bool = False
) -> list[Step]:
    """Returns the nodes as steps; adds the weights that they, and those of loops, multiply by.

    Args:
        graph: a graph, or the body of a loop.
        stored: the tensors that are known around it, by name; its own are added.
        weights: what was found so far.
        looped: whether the graph is a loop's.
    """
    stored |= graph.stored
    steps: list[Step] = []
    made_by = {name: node for node in graph.nodes for name in node.outputs}
    for node in graph.nodes:
        inputs = [name for name in node.inputs if name]
        layers: Layers = frozenset()
        if node.tensor is not None and not inputs:
            stored |= dict.fromkeys(node.outputs, node.tensor)
        elif inputs and all(name in stored for name in inputs):
            stored |= dict.fromkeys(node.outputs, stored[inputs[0]])
        elif node.operator in PRODUCTS:
            products = _layers(node, stored, made_by)
            again = looped or node.operator in RECURRENT
            weights += [replace(found, looped=again) for found in products]
            layers = frozenset([found.key for found in products] or [tuple(node.outputs)])
        elif node.operator in TABLES and inputs[TABLES[node.operator]] in stored:
            weights.append(_weights(node, stored[inputs[TABLES[node.operator]]], "float32"))
        for body in node.bodies:
            inner = _steps(body, dict(stored), weights, looped=node.operator in LOOPS or looped)
            layers = layers.union(*(found for _, _, found in inner))
            inputs += [name for found in body.nodes for name in found.inputs]
        steps.append(([name for name in inputs if name not in stored], node.outputs, layers))
    return steps


def _layers(node: Node, stored: dict[str, Tensor], made_by: dict[str, Node]) -> list[Weights]:
    found = []
    for tensor in (stored.get(n) for i in PRODUCTS[node.operator] for n in node.inputs[i : i + 1]):
        if tensor is None:
            continue
        source = next((made_by.get(name) for name in node.inputs if name not in stored), None)
        reads = "dynamic" if node.operator in INTEGER else "float32"
        if source is not None and source.operator == DEQUANTIZE:
            reads = "int8"
        elif tensor.dtype == "float16":
            reads = "float16"
        found.append(_weights(node, tensor, reads))
    return found


def _weights(node: Node, tensor: Tensor, reads: str) -> Weights:
    return Weights(
        key=hash((tuple(tensor.shape), bytes(tensor.content) or tensor.name)),
        size=tensor.size,
        dtype="int8" if tensor.dtype == "uint8" else tensor.dtype,
        operator=node.operator,
        activations=reads,
    )
