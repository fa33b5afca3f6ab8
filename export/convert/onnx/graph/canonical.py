"""One order and one set of names for a graph that comes in any order, under passing names.

Both follow from the structure: the order in which values are needed, from the outputs backwards,
and who reads a constant first.
"""

from collections import Counter

import onnx

from export.convert.onnx.graph.arrange import (
    PASSING,
    arrange,
    bodies,
    delete,
    lasting_name,
    reads,
)


def make_canonical(model: onnx.ModelProto) -> None:
    """Orders and names what is in a model by its structure; inputs and outputs keep their names.

    Nodes and constants that no output needs are left out, equal ones are there once.
    """
    graph = model.graph
    arrange(graph)
    kept = {value.name: value.name for value in (*graph.input, *graph.output)}
    scopes = Counter(name for node in graph.node for name in node.name.split("/")[:-1][:1])
    # Keras's own name of the model, which nearly all have: files are smaller without
    common = max(scopes, key=lambda scope: (scopes[scope], scope), default="")
    _Names(set(kept), f"{common}/").rewrite(graph, "model", kept)


class _Names:
    """Gives names, each once in the whole model, as ONNX demands."""

    def __init__(self, taken: set[str], prefix: str) -> None:
        self._values, self._nodes = taken, {""}
        self._prefix = prefix

    def rewrite(self, graph: onnx.GraphProto, name: str, names: dict[str, str]) -> None:
        """Renames what a graph, or a body, makes and stores.

        Args:
            graph: the graph, arranged.
            name: its new name.
            names: new names by old ones, of values around it and of those that keep theirs; its
                others' are added.
        """
        graph.name, graph.doc_string = name, ""
        stored = {tensor.name for tensor in graph.initializer}
        for value in graph.input:
            self._add(names, value.name, value.name)
        for node in graph.node:
            node.name = _once(self._lasting(node.name) or node.op_type, self._nodes)
            for place, read in enumerate(reads(node)):
                if read in stored:
                    self._add(names, read, f"{node.name}/input_{place}")
            for place, made in enumerate(node.output):
                if made:
                    self._add(names, made, f"{node.name}:{place}")
        for value in graph.output:
            self._add(names, value.name, value.name)
        for node in graph.node:
            for side in (node.input, node.output):
                side[:] = [names.get(old, old) for old in side]
        for values in (graph.input, graph.output, graph.value_info, graph.initializer):
            delete(values, [i for i, value in enumerate(values) if value.name not in names])
            for value in values:
                value.name = names[value.name]
        for value in (*graph.input, *graph.output, *graph.value_info):
            for size in value.type.tensor_type.shape.dim:
                if PASSING.search(size.dim_param):
                    size.ClearField("dim_param")
        place_of = {new: place for place, new in enumerate(names.values())}
        for unordered in (graph.value_info, graph.initializer):
            unordered.sort(key=lambda value: place_of[value.name])
        for node in graph.node:
            for place, body in enumerate(bodies(node)):
                self.rewrite(body, f"{node.name}/body_{place}", dict(names))

    def _add(self, names: dict[str, str], old: str, wanted: str) -> None:
        if old not in names:
            names[old] = _once(self._lasting(wanted), self._values)

    def _lasting(self, name: str) -> str:
        return lasting_name(name).removeprefix(self._prefix)


def _once(name: str, taken: set[str]) -> str:
    """Returns the name, with a number if it is taken; `:0`, which output it is, stays behind it."""
    stem, colon, output = name.partition(":")
    found, number = name, 2
    while found in taken:
        found, number = f"{stem}_{number}{colon}{output}", number + 1
    taken.add(found)
    return found
