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
    """Replaces means and maxima over all pixels, where the channels are the second axis.

    Or where a node before has just moved them from there to the last.
    """
    editor = GraphEditor(model)
    graph = model.graph
    for node in [each for each in graph.node if each.op_type in GLOBAL]:
        maker = next((each for each in graph.node if node.input[0] in each.output), None)
        order = _order(maker)
        rank = len(order or editor.shapes.get(node.input[0], ()))
        found = attributes_of(node)
        given = found.get("axes", editor.axes(node))
        axes = sorted(int(axis) % rank for axis in given) if given is not None and rank else []
        moved = maker if order == [0, *range(2, rank), 1] else None
        if rank < 3 or axes not in ([*range(2, rank)], [*range(1, rank - 1)] if moved else None):
            continue
        if axes[-1] == rank - 1:
            moved = None  # it is not the moved channels that are kept
        made = node.output[0]
        if moved is not None or not found.get("keepdims", 1):
            node.output[0] = editor.new_name(made)
            reads, name = [node.output[0]], f"{node.name}/behind"
            behind = onnx.helper.make_node(FLATTEN, reads, [made], name, axis=1)
            if found.get("keepdims", 1):
                behind = onnx.helper.make_node(TRANSPOSE, reads, [made], name, perm=order)
            graph.node.insert(list(graph.node).index(node) + 1, behind)
        node.op_type = GLOBAL[node.op_type]
        node.input[:] = [node.input[0] if moved is None else moved.input[0]]
        del node.attribute[:]
        unread = moved is not None and not editor.readers(moved.output[0])
        if moved is not None and unread and moved.output[0] not in editor.outputs:
            graph.node.remove(moved)


def _order(node: onnx.NodeProto | None) -> list[int]:
    """Returns how a node orders axes; nothing if it does not."""
    return [] if node is None or node.op_type != TRANSPOSE else [*attributes_of(node)["perm"]]
