"""What loops hand on unchanged."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from export.convert.onnx.graph.loops import read_constants_from_around

FLOAT, INT64, BOOL = (getattr(onnx.TensorProto, name) for name in ("FLOAT", "INT64", "BOOL"))


def looped() -> onnx.ModelProto:
    """A loop that multiplies x by a constant thrice, and collects the constant; both are states."""
    info = helper.make_tensor_value_info
    make = helper.make_node
    body = helper.make_graph(
        [
            make("Identity", ["go"], ["again"]),
            make("Mul", ["x_state", "constant"], ["product"]),
            make("Identity", ["constant"], ["same"]),
            make("Identity", ["constant"], ["seen"]),
        ],
        "body",
        [
            info("step", INT64, []),
            info("go", BOOL, []),
            info("x_state", FLOAT, [2]),
            info("constant", FLOAT, [2]),
        ],
        [
            info("again", BOOL, []),
            info("product", FLOAT, [2]),
            info("same", FLOAT, [2]),
            info("seen", FLOAT, [2]),
        ],
    )
    nodes = [
        make("Loop", ["count", "", "x", "factor"], ["last", "still", "all"], body=body),
        make("Add", ["last", "still"], ["sum"]),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [info("x", FLOAT, [2])],
        [info("sum", FLOAT, [2]), info("still", FLOAT, [2]), info("all", FLOAT, [3, 2])],
        [
            numpy_helper.from_array(np.array(3), "count"),
            numpy_helper.from_array(np.array([2, 3], np.float32), "factor"),
        ],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def test_a_loop_reads_what_never_changes_from_around_it() -> None:
    model = looped()
    read_constants_from_around(model.graph)
    onnx.checker.check_model(model, full_check=True)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    assert list(loop.input) == ["count", "", "x"]
    assert list(loop.output) == ["last", "all"]
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.array([1, -1], np.float32)
    total, still, collected = session.run(None, {"x": x})
    np.testing.assert_array_equal(still, [2, 3])
    np.testing.assert_array_equal(total, [8 + 2, -27 + 3])
    np.testing.assert_array_equal(collected, [[2, 3]] * 3)
