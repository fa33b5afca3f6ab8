"""Means and maxima over all pixels as ONNX's own pooling, on channels that stay where they are.

tf2onnx finds these only up to opset 17, from which on axes are an input: a copy of the image with
the channels last, and a kernel without SIMD, are left.
"""

import onnx

from export.convert.onnx.graph.editor import GraphEditor
from export.convert.onnx.graph.layers import attributes_of

GLOBAL = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}
TRANSPOSE, FLATTEN = "Transpose", "Flatten"


def pool_globally(model: onnx.ModelProto) -> None:
    """Replaces means and maxima over all axes between an image's first and its last.

    Only where a node before has just moved the channels there.
    """
    editor = GraphEditor(model)
    graph = model.graph
    for node in [each for each in graph.node if each.op_type in GLOBAL]:
        moved = next((each for each in graph.node if node.input[0] in each.output), None)
        if moved is None or moved.op_type != TRANSPOSE:
            continue
        order = list(attributes_of(moved).get("perm", ()))
        rank = len(order)
        found = attributes_of(node)
        given = found.get("axes", editor.axes(node))
        axes = sorted(int(axis) % rank for axis in given) if given is not None and rank else []
        if rank < 3 or order != [0, *range(2, rank), 1] or axes != [*range(1, rank - 1)]:
            continue
        made = node.output[0]
        pooled = editor.new_name(made)
        behind = onnx.helper.make_node(FLATTEN, [pooled], [made], f"{node.name}/behind", axis=1)
        if found.get("keepdims", 1):
            behind = onnx.helper.make_node(
                TRANSPOSE, [pooled], [made], f"{node.name}/behind", perm=order
            )
        graph.node.insert(list(graph.node).index(node) + 1, behind)
        node.op_type = GLOBAL[node.op_type]
        node.input[:], node.output[:] = [moved.input[0]], [pooled]
        del node.attribute[:]
        if moved.output[0] not in editor.outputs and not editor.readers(moved.output[0]):
            graph.node.remove(moved)
