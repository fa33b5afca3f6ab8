"""One ReLU behind a concatenation instead of one before it for each part."""

from collections import Counter
from itertools import groupby

import onnx

from export.convert.onnx.graph.arrange import reads

CONCAT, RELU = "Concat", "Relu"
WORTH = 3  # ReLUs, for which another concatenation is fewer operators


def one_relu_behind(graph: onnx.GraphProto) -> None:
    """Moves ReLUs from before a concatenation to behind it, which computes the same.

    Where values are quantized next, ONNX Runtime makes that one part of the quantization. Where
    other parts have none, those that stand side by side are concatenated first.
    """
    read = Counter(name for node in graph.node for name in reads(node))
    kept = {value.name for value in graph.output}
    for node in [each for each in graph.node if each.op_type == CONCAT]:
        relus = {
            each.output[0]: each
            for each in graph.node
            if each.op_type == RELU and read[each.output[0]] == 1 and each.output[0] not in kept
        }
        runs = [(found, list(run)) for found, run in groupby(node.input, relus.__contains__)]
        if len(runs) == 1 and len(node.input) > 1 and runs[0][0]:
            made = node.output[0]
            node.output[0] = f"{made}/before_relu"
            _move(graph, node, [relus[name] for name in runs[0][1]], made)
            continue
        parts: list[str] = []
        for found, run in runs:
            if not found or len(run) < WORTH:
                parts += run
                continue
            joined = onnx.NodeProto()
            joined.CopyFrom(node)
            joined.name, joined.input[:] = f"{node.name}/{run[0]}", run
            joined.output[:] = [f"{run[0]}/joined"]
            graph.node.insert(list(graph.node).index(node), joined)
            at = list(graph.node).index(node) - 1
            parts.append(f"{run[0]}/joined/relu")
            _move(graph, graph.node[at], [relus[name] for name in run], parts[-1])
        node.input[:] = parts


def _move(
    graph: onnx.GraphProto, concat: onnx.NodeProto, relus: list[onnx.NodeProto], made: str
) -> None:
    """Puts the last of some ReLUs, whose outputs a concatenation reads, behind it."""
    last = onnx.NodeProto()
    last.CopyFrom(relus[-1])
    concat.input[:] = [relu.input[0] for relu in relus]
    last.input[:], last.output[:] = [concat.output[0]], [made]
    graph.node.insert(list(graph.node).index(concat) + 1, last)
    for relu in relus:
        graph.node.remove(relu)
