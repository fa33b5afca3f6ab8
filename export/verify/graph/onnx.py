"""Reads the graph of an `.onnx` file."""

from collections.abc import Hashable
from pathlib import Path

import numpy as np

from export.verify.graph.contents import RECURRENT, Graph
from export.verify.graph.depth import Layers, Step, longest_path
from export.verify.graph.onnx_file import Node, OnnxGraph, Tensor, read_onnx_graph
from export.verify.graph.products import INTEGER, PRODUCTS, Weights, precisions

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
DEQUANTIZE = "DequantizeLinear"


def read_onnx(path: Path) -> Graph:
    """Returns the graph in an `.onnx` file.

    Raises:
        ArtifactError: it is not one.
    """
    graph = read_onnx_graph(path)
    floats = [node.operator for node in graph.nodes if node.operator in RECURRENT]
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
    return Graph(
        operators=tuple(node.operator for node in graph.nodes),
        float_operators=tuple(floats),
        foreign_operators=tuple(n.operator for n in graph.nodes if n.domain not in DOMAINS),
        depth=longest_path(steps),
        kernels=tuple(kernels),
        weights=numbers,
        activations=layers,
    )


def _steps(graph: OnnxGraph, stored: dict[str, Tensor], weights: list[Weights]) -> list[Step]:
    """Returns the nodes as steps; adds the weights that they, and those of loops, multiply by.

    Args:
        graph: a graph, or the body of a loop.
        stored: the tensors that are known around it, by name; its own are added.
        weights: what was found so far.
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
            layers = _layers(node, stored, made_by, weights)
        for body in node.bodies:
            inner = _steps(body, dict(stored), weights)
            layers = layers.union(*(found for _, _, found in inner))
            inputs += [name for found in body.nodes for name in found.inputs]
        steps.append(([name for name in inputs if name not in stored], node.outputs, layers))
    return steps


def _layers(
    node: Node, stored: dict[str, Tensor], made_by: dict[str, Node], weights: list[Weights]
) -> Layers:
    keys: list[Hashable] = []
    for tensor in (stored.get(n) for i in PRODUCTS[node.operator] for n in node.inputs[i : i + 1]):
        if tensor is None:
            continue
        keys.append(hash((tuple(tensor.shape), bytes(tensor.content) or tensor.name)))
        source = next((made_by.get(name) for name in node.inputs if name not in stored), None)
        reads = "dynamic" if node.operator in INTEGER else "float32"
        if source is not None and source.operator == DEQUANTIZE:
            reads = "int8"
        elif tensor.dtype == "float16":
            reads = "float16"
        weights.append(
            Weights(
                key=keys[-1],
                size=tensor.size,
                dtype="int8" if tensor.dtype == "uint8" else tensor.dtype,
                operator=node.operator,
                activations=reads,
            )
        )
    return frozenset(keys or [tuple(node.outputs)])
