"""What a loop hands from step to step unchanged, which its body can read from around it."""

import onnx

from export.convert.onnx.graph.arrange import bodies, delete, rename

STATES = 2  # a Loop's first inputs are how often and whether; states follow
IDENTITY = "Identity"


def read_constants_from_around(graph: onnx.GraphProto) -> None:
    """Has the bodies of loops read what never changes in them where it is, such as weights.

    tf2onnx makes states of all that TensorFlow's loops take. ONNX Runtime copies each at every
    step, and knows no weights of products in them.
    """
    for node in list(graph.node):
        if node.op_type == "Loop":
            same = _without_constants(node)
            _keep_outputs(graph, node, same)
            rename(graph, same)
        for body in bodies(node):
            read_constants_from_around(body)


def _keep_outputs(graph: onnx.GraphProto, loop: onnx.NodeProto, values: dict[str, str]) -> None:
    """Gives outputs of a graph that are other values from now on nodes that make them."""
    place = list(graph.node).index(loop)
    for value in graph.output:
        if value.name in values:
            made = onnx.helper.make_node(IDENTITY, [values.pop(value.name)], [value.name])
            graph.node.insert(place, made)


def _without_constants(loop: onnx.NodeProto) -> dict[str, str]:
    """Takes unchanged states from a loop; returns what its outputs of them are, by their names."""
    body = next(iter(bodies(loop)))
    source = {node.output[0]: node.input[0] for node in body.node if node.op_type == IDENTITY}
    constant = []
    for place in range(len(loop.input) - STATES):
        name = body.output[1 + place].name
        while name in source:
            name = source[name]
        if name == body.input[STATES + place].name:
            constant.append(place)
    around = {body.input[STATES + p].name: loop.input[STATES + p] for p in constant}
    outputs = {loop.output[place]: loop.input[STATES + place] for place in constant}
    delete(loop.input, [STATES + place for place in constant])
    delete(body.input, [STATES + place for place in constant])
    delete(body.output, [1 + place for place in constant])
    delete(loop.output, constant)
    for value in body.output:  # of which one step's may be collected too
        if value.name in around:
            made = f"{value.name}_again"
            body.node.append(onnx.helper.make_node(IDENTITY, [value.name], [made]))
            value.name = made
    rename(body, around)
    return {name: value for name, value in outputs.items() if name}
