"""A file may be as large as the constants that its graph reads; what stays in float is told."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.formats.table import FORMATS
from export.verify.graph.contents import Graph
from export.verify.graph.products import Weights
from export.verify.graph.read import read_graph
from export.verify.size import check_size, computed_in_float, parts_in_float

INT8 = FORMATS["onnx-int8"]


def stored(name: str, *shape: int, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.full(shape, sum(name.encode()) % 7).astype(dtype), name)


def save(path: Path, *unread: onnx.TensorProto) -> Path:
    """Saves a loop whose body has a matrix of its own, and reads one from around it."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "outer"], ["a"]),
            helper.make_node("MatMul", ["a", "inner"], ["next"]),
            helper.make_node("Identity", ["going"], ["go_on"]),
        ],
        "body",
        [
            *(info("i", TensorProto.INT64, []), info("going", TensorProto.BOOL, [])),
            info("state", TensorProto.FLOAT, ["n", 64]),
        ],
        [info("go_on", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, ["n", 64])],
        [stored("inner", 64, 64)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "x"], ["rows"]),
            helper.make_node("Loop", ["times", "yes", "rows"], ["y"], body=body),
        ],
        "graph",
        [info("x", TensorProto.INT64, ["n"])],
        [info("y", TensorProto.FLOAT, ["n", 64])],
        [
            *(stored("outer", 64, 64), stored("table", 500, 64)),
            *(stored("times", dtype=np.int64), stored("yes", dtype=np.bool_), *unread),
        ],
    )
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path


def test_what_bodies_and_operators_read_is_counted_and_nothing_else(tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx")
    graph = read_graph(path)
    assert graph.stored_bytes == 4 * (2 * 64 * 64 + 500 * 64) + 8 + 1
    assert check_size(path.stat().st_size, graph).passed
    with_junk = save(tmp_path / "junk.onnx", stored("unread", 100, 100))
    other = read_graph(with_junk)
    assert other.stored_bytes == graph.stored_bytes
    check = check_size(with_junk.stat().st_size, other)
    assert not check.passed
    assert str(check.limit).endswith(
        f"{graph.stored_bytes} of constants, 5 operators"
    )  # three in the loop


def test_weights_in_float_are_told_by_operator(tmp_path: Path) -> None:
    graph = read_graph(save(tmp_path / "model.onnx"))
    (seen,) = parts_in_float(INT8, graph)
    assert seen.value == "Gather 32,000, MatMul 8,192 of 40,192 weights"
    assert parts_in_float(FORMATS["onnx-float32"], graph) == []
    assert parts_in_float(FORMATS["onnx-float16"], graph) == []


def test_what_lies_between_quantized_operators_and_computes_in_float_is_told(
    tmp_path: Path,
) -> None:
    info = helper.make_tensor_value_info
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "scale"], ["q"]),
        node("DequantizeLinear", ["q", "scale"], ["d"]),
        node("Relu", ["d"], ["r"]),  # quantized on both sides
        node("QuantizeLinear", ["r", "scale"], ["s"]),
        node("DequantizeLinear", ["s", "scale"], ["e"]),
        node("MatMul", ["e", "kernel"], ["m"]),  # what it gives may stay real
        node("Tanh", ["m"], ["t"]),
        node("Transpose", ["t"], ["u"], perm=[0, 1]),
        node("Softmax", ["u"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [info("x", TensorProto.FLOAT, ["n", 4])],
        [info("y", TensorProto.FLOAT, ["n", 4])],
        [stored("scale"), stored("kernel", 4, 4)],
    )
    path = tmp_path / "model.onnx"
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    (seen,) = computed_in_float(INT8, read_graph(path))
    assert seen.value == "Softmax 1, Tanh 1"
    assert computed_in_float(FORMATS["onnx-dynamic"], read_graph(path)) == []


@pytest.mark.parametrize(("in_float", "told"), [(0, False), (49, False), (50, True), (1000, True)])
def test_a_small_share_in_float_is_not_told(in_float: int, told: bool) -> None:
    sizes = {"float32": in_float, "int8": 1000 - in_float}
    products = tuple(
        Weights(key=dtype, size=size, dtype=dtype, operator="LSTM", activations="float32")
        for dtype, size in sizes.items()
    )
    graph = Graph(
        operators=("LSTM",),
        float_operators=(),
        foreign_operators=(),
        depth=1,
        kernels=(),
        products=products,
    )
    assert bool(parts_in_float(INT8, graph)) == told
