"""A graph is written the same whatever order and names it came in, and computes the same."""

import re
from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.convert.onnx.graph.arrange import bodies, reads
from export.convert.onnx.graph.canonical import make_canonical

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
X = np.random.RandomState(1).normal(size=(2, 3)).astype(np.float32)


def value(name: str, shape: list[int | str], dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def stored(name: str, numbers: object, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(numbers, dtype), name)


def branches() -> onnx.GraphProto:
    """Equal constants, equal nodes, a node that nothing needs, and a value that is two outputs."""
    node = helper.make_node
    nodes = [
        node("Add", ["x", "two__3"], ["a__4"], name="left__4"),
        node("Add", ["x", "deux__7"], ["b__8"], name="right__8"),
        node("Mul", ["a__4", "b__8"], ["c__9"], name="product__9"),
        node("Tanh", ["c__9"], ["d__10"], name="tanh"),
        node("Exp", ["x"], ["unused__11"], name="unused__11"),
        node("Identity", ["d__10"], ["y"], name="first"),
        node("Identity", ["y"], ["z"], name="second"),
        node("Identity", ["x"], ["same"], name="third"),
    ]
    outputs = [value(name, ["n", 3]) for name in ("y", "z", "same")]
    constants = [stored("two__3", [2.0]), stored("deux__7", [2.0]), stored("spare", [1.0])]
    return helper.make_graph(nodes, "g__1", [value("x", ["n", 3])], outputs, constants)


def loop() -> onnx.GraphProto:
    """A body that reads a value around it, whose new name is the old one of another in it."""
    node = helper.make_node
    body = helper.make_graph(
        [
            node("Add", ["s__1", "half__5:0"], ["half:0"], name="inner"),
            node("Identity", ["going__2"], ["go_on__3"], name="go"),
            node("Identity", ["half:0"], ["row__4"], name="row"),
        ],
        "body_frozen_77",
        [value("i", [], INT), value("going__2", [], BOOL), value("s__1", ["n", 3])],
        [
            value("go_on__3", [], BOOL),
            value("half:0", ["unk__5", 3]),
            value("row__4", ["unk__6", 3]),
        ],
    )
    nodes = [
        node("Mul", ["x", "0.5"], ["half__5:0"], name="half__5"),
        node("Loop", ["times", "yes", "x"], ["y", "rows"], name="loop__9", body=body),
    ]
    constants = [stored("0.5", 0.5), stored("times", 3, np.int64), stored("yes", True, np.bool_)]
    outputs = [value("y", ["n", 3]), value("rows", [3, "n", 3])]
    return helper.make_graph(nodes, "g__2", [value("x", ["n", 3])], outputs, constants)


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def shuffled(graph: onnx.GraphProto, seed: int) -> onnx.GraphProto:
    """Returns the graph as another process might give it: other counters, another valid order."""
    draw = np.random.RandomState(seed)
    numbers = 100 + draw.permutation(100)
    other = onnx.GraphProto()
    other.CopyFrom(graph)

    def renamed(name: str) -> str:
        return re.sub(r"(__|_frozen_)(\d+)", lambda x: f"{x[1]}{numbers[int(x[2])]}", name)

    for part in (other, *(body for node in other.node for body in bodies(node))):
        part.name = renamed(part.name)
        for item in (*part.node, *part.initializer, *part.input, *part.output):
            item.name = renamed(item.name)
        for node in part.node:
            node.input[:] = map(renamed, node.input)
            node.output[:] = map(renamed, node.output)
        waiting = [part.node[index] for index in draw.permutation(len(part.node))]
        late = {name for node in waiting for name in node.output}
        order: dict[str, int] = {}
        while waiting:
            ready = next(node for node in waiting if not late & set(reads(node)))
            waiting.remove(ready)
            late -= set(ready.output)
            order[ready.output[0]] = len(order)
        part.node.sort(key=lambda node: order[node.output[0]])
        part.initializer.sort(key=lambda tensor: draw.random_sample())
    return other


def run(model: onnx.ModelProto) -> Iterator[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    yield from session.run(None, {"x": X})


@pytest.mark.parametrize("graph", [branches(), loop()], ids=["branches", "loop"])
def test_any_order_and_any_counters_give_the_same_bytes(graph: onnx.GraphProto) -> None:
    expected = list(run(model_of(graph)))
    contents, before = set(), set()
    for seed in range(20):
        model = model_of(shuffled(graph, seed))
        before.add(model.SerializeToString(deterministic=True))
        make_canonical(model)
        contents.add(model.SerializeToString(deterministic=True))
    assert (len(contents), len(before)) == (1, 20)
    assert [value.name for value in model.graph.output] == [value.name for value in graph.output]
    assert all(map(np.array_equal, run(model), expected))


def test_what_is_there_twice_or_for_nothing_is_left_out() -> None:
    model = model_of(branches())
    make_canonical(model)
    operators = [node.op_type for node in model.graph.node]
    assert operators == ["Add", "Mul", "Tanh", "Identity", "Identity"]
    assert [tensor.name for tensor in model.graph.initializer] == ["right/input_1"]


def test_two_draws_stay_two() -> None:
    nodes = [helper.make_node("RandomUniformLike", ["x"], [name]) for name in ("a", "b")]
    nodes.append(helper.make_node("Sub", ["a", "b"], ["y"]))
    graph = helper.make_graph(nodes, "g", [value("x", ["n", 3])], [value("y", ["n", 3])])
    model = model_of(graph)
    make_canonical(model)
    assert len(model.graph.node) == 3
