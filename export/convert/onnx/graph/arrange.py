"""The order of a graph's nodes by what needs them, and no node or constant twice.

tf2onnx keeps the readers of tensors in sets of strings and walks through graphs by them: the order
of nodes, which of two equal ones is kept, and whether, are others in each process.
"""

import hashlib
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableSequence
from typing import Any

import onnx

IDENTITY = "Identity"
RANDOM = ("Random", "Multinomial", "Bernoulli")  # two nodes of them give two values
# What differs between conversions in names: counters of tf2onnx and of TensorFlow's functions, and
# marks that tf2onnx puts on one of equal nodes.
PASSING = re.compile(
    r"__\d+|_frozen_\d+|_graph_outputs_Identity|(?<=__inference_)(\w*?)_\d+(?=/|$)"
)


def lasting_name(name: str) -> str:
    """Returns the name of a node without what is another in each conversion."""
    return PASSING.sub(lambda found: found.group(1) or "", name)


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yields the graphs that a node runs, such as a loop's body."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def arrange(graph: onnx.GraphProto) -> None:
    """Orders nodes as they are needed; leaves out what is not needed, or there already."""
    for node in graph.node:
        node.attribute.sort(key=lambda attribute: attribute.name)
        for body in bodies(node):
            arrange(body)
    _merge_constants(graph)
    _dissolve_identities(graph)
    order(graph)
    _merge_nodes(graph)


def order(graph: onnx.GraphProto) -> None:
    """Orders nodes as they are needed, by bodies of loops too; leaves out what is not needed."""
    made_by = {name: index for index, node in enumerate(graph.node) for name in node.output}
    needs = [[made_by[n] for n in reads(node) if n in made_by] for node in graph.node]
    position: dict[int, int] = {}
    stack = [made_by[value.name] for value in reversed(graph.output) if value.name in made_by]
    while stack:
        missing = [index for index in needs[stack[-1]] if index not in position]
        if missing:
            stack += reversed(missing)
        else:
            position.setdefault(stack.pop(), len(position))
    places = {tuple(node.output): position.get(index) for index, node in enumerate(graph.node)}
    delete(graph.node, set(range(len(graph.node))) - position.keys())
    graph.node.sort(key=lambda node: places[tuple(node.output)])


def _dissolve_identities(graph: onnx.GraphProto) -> None:
    """Removes Identity nodes, but for those that give a value a second name as an output.

    Where a value is two outputs, tf2onnx has an Identity before one or the other: here the second.
    """
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == IDENTITY}
    delete(graph.node, [i for i, node in enumerate(graph.node) if node.op_type == IDENTITY])
    made = {name for node in graph.node for name in node.output}
    roots = {value.name: _last(value.name, source) for value in graph.output}
    first = {root: name for name, root in reversed(roots.items()) if root in made}
    same = {name: _last(name, source) for name in source}
    rename(graph, {name: first.get(root, root) for name, root in same.items()} | first)
    for name, root in roots.items():
        if first.get(root, root) != name:
            graph.node.append(onnx.helper.make_node(IDENTITY, [first.get(root, root)], [name]))


def _last(name: str, after: Mapping[str, str]) -> str:
    while name in after:
        name = after[name]
    return name


def _merge_constants(graph: onnx.GraphProto) -> None:
    """Keeps one of equal constants, but for those that are the graph's outputs."""
    outputs = {value.name for value in graph.output}
    kept: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    same = {}
    surplus = set()
    for index, tensor in enumerate(graph.initializer):
        if tensor.raw_data and tensor.name not in outputs:
            digest = hashlib.sha256(tensor.raw_data).digest()
            key = tensor.data_type, tuple(tensor.dims), digest
            if kept.setdefault(key, tensor.name) != tensor.name:
                same[tensor.name] = kept[key]
                surplus.add(index)
    delete(graph.initializer, surplus)
    rename(graph, same)


def _merge_nodes(graph: onnx.GraphProto) -> None:
    """Keeps one of nodes that compute the same, which tf2onnx does in one process and not in all.

    The one that is kept has the greater of their names.
    """
    outputs = {value.name for value in graph.output}
    kept: dict[Hashable, onnx.NodeProto] = {}
    same: dict[str, str] = {}
    surplus = set()
    for index, node in enumerate(graph.node):
        node.input[:] = [same.get(name, name) for name in node.input]
        drawn = node.op_type.startswith(RANDOM) or any(True for _ in bodies(node))
        if drawn or outputs & set(node.output):
            continue
        how = tuple(attribute.SerializeToString() for attribute in node.attribute)
        used = tuple(bool(name) for name in node.output)
        first = kept.setdefault((node.op_type, node.domain, *node.input, how, used), node)
        if first.output != node.output:
            same.update(zip(node.output, first.output, strict=True))
            first.name = max(first.name, node.name, key=lasting_name)
            surplus.add(index)
    delete(graph.node, surplus)
    rename(graph, same)


def delete(items: MutableSequence[Any], indices: Iterable[int]) -> None:
    """Removes what is at some places."""
    for index in sorted(indices, reverse=True):
        del items[index]


def reads(node: onnx.NodeProto) -> list[str]:
    """Returns the values that a node reads, those that its bodies take from around them too."""
    return [name for name in node.input if name] + [n for body in bodies(node) for n in _free(body)]


def _free(body: onnx.GraphProto) -> list[str]:
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {name for node in body.node for name in node.output}
    read = [name for node in body.node for name in reads(node)]
    return [name for name in (*read, *(value.name for value in body.output)) if name not in own]


def rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Renames what a graph's nodes read and write, in the bodies of loops and branches too."""
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
        for body in bodies(node):
            rename(body, names)
            for value in body.output:
                value.name = names.get(value.name, value.name)
