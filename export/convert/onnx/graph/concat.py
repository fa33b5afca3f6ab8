"""One ReLU behind a concatenation instead of one before it for each part."""

from collections import Counter

import onnx

from export.convert.onnx.graph.arrange import reads


def one_relu_behind(graph: onnx.GraphProto) -> None:
    """Moves ReLUs from before a concatenation to behind it, which computes the same.

    Where values are quantized next, ONNX Runtime makes that one part of the quantization.
    """
    relus = {node.output[0]: node for node in graph.node if node.op_type == "Relu"}
    read = Counter(name for node in graph.node for name in reads(node))
    kept = {value.name for value in graph.output}
    for node in [each for each in graph.node if each.op_type == "Concat"]:
        before = [relus.get(name) for name in node.input if read[name] == 1 and name not in kept]
        if len(before) < len(node.input) or None in before:
            continue
        moved = [relu for relu in before if relu is not None]
        node.input[:] = [relu.input[0] for relu in moved]
        last, made = moved[-1], node.output[0]
        node.output[0] = last.output[0]
        last.input[:], last.output[:] = [node.output[0]], [made]
        for relu in moved:
            graph.node.remove(relu)
        graph.node.insert(list(graph.node).index(node) + 1, last)
