"""Weights of recurrent operators and loops in 8 bits."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from export.convert.onnx.recurrent.weights import store_in_8_bits

UNITS, FEATURES = 4, 8
FLOAT = onnx.TensorProto.FLOAT


def stored(name: str, *shape: int) -> onnx.TensorProto:
    draw = np.random.default_rng(len(name))
    return numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), name)


def arrays(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


@pytest.mark.parametrize("directions", [1, 2])
def test_each_row_of_a_gate_has_its_scale(directions: int) -> None:
    tensors = [
        stored("W", directions, 4 * UNITS, FEATURES),
        stored("R", directions, 4 * UNITS, UNITS),
        stored("B", directions, 8 * UNITS),
    ]
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
    node = helper.make_node("LSTM", ["x", "W", "R", "B"], ["", "last"], hidden_size=UNITS)
    graph = helper.make_graph([node], "layer", [], [], tensors)
    store_in_8_bits(graph)
    after = arrays(graph)
    assert [node.op_type for node in graph.node] == ["Cast", "Mul", "Cast", "Mul", "LSTM"]
    np.testing.assert_array_equal(after["B"], before["B"])
    for name in ("W", "R"):
        assert name not in after
        integers, scale = after[f"{name}_8_bits"], after[f"{name}_scale"]
        assert integers.dtype == np.int8
        assert scale.shape == (directions, 4 * UNITS, 1)
        error = np.abs(integers * scale - before[name])
        assert (error <= scale / 2 * 1.001).all()


def test_products_in_a_loop_read_weights_from_around_it() -> None:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "kernel"], ["product"]),
            helper.make_node("MatMul", ["product", "small"], ["moved"]),
            helper.make_node("Identity", ["go"], ["again"]),
        ],
        "body",
        [
            info("step", onnx.TensorProto.INT64, []),
            info("go", onnx.TensorProto.BOOL, []),
            info("state", FLOAT, [1, 16]),
        ],
        [info("again", onnx.TensorProto.BOOL, []), info("moved", FLOAT, [1, 16])],
        [stored("small", 4, 4)],
    )
    loop = helper.make_node("Loop", ["count", "", "first"], ["last"], body=body)
    dense = helper.make_node("MatMul", ["last", "head"], ["out"])
    outer = [stored("kernel", 16, 16), stored("head", 16, 16)]
    graph = helper.make_graph([loop, dense], "model", [], [], outer)
    store_in_8_bits(graph)
    after = arrays(graph)
    assert after["kernel_8_bits"].dtype == np.int8
    assert after["kernel_scale"].shape == (1, 16)
    assert after["head"].dtype == np.float32  # no loop's: the quantizers' own
    assert [tensor.name for tensor in loop.attribute[0].g.initializer] == ["small"]


def test_what_something_else_reads_too_stays_in_float() -> None:
    node = helper.make_node("GRU", ["x", "W", "R"], ["", "last"], hidden_size=UNITS)
    other = helper.make_node("ReduceMax", ["W"], ["largest"])
    tensors = [stored("W", 1, 3 * UNITS, FEATURES), stored("R", 1, 3 * UNITS, 2 * UNITS)]
    graph = helper.make_graph([node, other], "layer", [], [], tensors)
    store_in_8_bits(graph)
    assert {"W", "R_8_bits", "R_scale"} == set(arrays(graph))
