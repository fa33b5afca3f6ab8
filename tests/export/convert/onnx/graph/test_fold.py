"""What is folded into layers computes the same, and what cannot be stays."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.convert.onnx.graph.canonical import make_canonical
from export.convert.onnx.graph.fold import fold
from export.convert.onnx.graph.reshape import store_shapes

RANDOM = np.random.RandomState(4)
VECTOR = RANDOM.uniform(0.5, 2, 6)
CHANNELS = VECTOR.reshape(6, 1, 1)
SIGNED = VECTOR * [1, -1, 1, -1, 1, 1]
FLAT, IMAGE = (4,), (4, 8, 8)
Node = tuple[str, tuple[Any, ...], dict[str, Any]]


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape)


def model_of(shape: tuple[int, ...], *nodes: Node) -> onnx.ModelProto:
    """Returns a model of nodes in a row, x → … → y.

    Of each, the operator, its inputs after the first, arrays being stored, and its attributes. An
    input that is a number is the output of so many nodes, 0 being the model's input.
    """
    made, stored = [], []
    values = ["x"]
    for place, (operator, others, attributes) in enumerate(nodes):
        names = [values[-1]]
        for index, other in enumerate(others):
            if isinstance(other, int):
                names.append(values[other])
                continue
            names.append(f"{place}_{index}")
            kind = np.float32 if other.dtype == np.float64 else np.int64
            stored.append(numpy_helper.from_array(other.astype(kind), names[-1]))
        values.append("y" if place == len(nodes) - 1 else f"v{place}")
        made.append(helper.make_node(operator, names, values[-1:], f"n{place}", **attributes))
    graph = helper.make_graph(
        made,
        "row",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model)


def outputs(model: onnx.ModelProto, shape: tuple[int, ...]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.random.RandomState(9).normal(size=(5, *shape)).astype(np.float32)
    found: np.ndarray = session.run(None, {"x": x})[0]
    return found


def op(operator: str, *others: np.ndarray | int, **attributes: Any) -> Node:
    return operator, others, attributes


def matmul(inputs: int, outputs: int) -> Node:
    return op("MatMul", drawn(inputs, outputs))


def conv(inputs: int, outputs: int, **attributes: Any) -> Node:
    kernel = drawn(outputs, inputs // attributes.get("group", 1), 3, 3)
    return op("Conv", kernel, drawn(outputs), **attributes)


def case(
    shape: tuple[int, ...], *nodes: Node, left: str
) -> tuple[tuple[int, ...], tuple[Node, ...], str]:
    """Returns the shape of an input, nodes, and the operators that are left of them."""
    return shape, nodes, left


RELU, TANH = op("Relu"), op("Tanh")
NORM = op("Mul", VECTOR), op("Add", drawn(6))
NORM_2D = op("Mul", CHANNELS), op("Add", drawn(6, 1, 1))
PADDED = [1, 1, 1, 1]
DENSE = (matmul(4, 6), op("Add", drawn(6)))
CONV = (conv(4, 6), TANH)
POOL = op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])

CASES = {
    "dense, norm": case(FLAT, *DENSE, *NORM, left="MatMul Add"),
    "dense without bias, norm": case(FLAT, matmul(4, 6), *NORM, left="MatMul Add"),
    "dense, relu, norm, dense": case(
        FLAT, *DENSE, RELU, *NORM, matmul(6, 3), left="MatMul Add Relu MatMul Add"
    ),
    "dense, relu, norm that turns signs, dense": case(
        *(FLAT, *DENSE, RELU, op("Mul", SIGNED), NORM[1], matmul(6, 3), op("Add", drawn(3))),
        left="MatMul Add Relu MatMul Add",
    ),
    "dense, tanh, norm, dense": case(
        *(FLAT, *DENSE, TANH, *NORM, op("Gemm", drawn(6, 2), drawn(2))),
        left="MatMul Add Tanh Gemm",
    ),
    "gemm of turned weights": case(
        FLAT, op("Gemm", drawn(6, 4), drawn(6), transB=1), *NORM, left="Gemm"
    ),
    "turned gemm behind": case(
        FLAT, *DENSE, TANH, *NORM, op("Gemm", drawn(3, 6), transB=1), left="MatMul Add Tanh Gemm"
    ),
    "difference and quotient": case(
        FLAT, *DENSE, op("Sub", drawn(6)), op("Div", VECTOR), left="MatMul Add"
    ),
    "conv, norm": case(IMAGE, conv(4, 6, pads=PADDED), *NORM_2D, left="Conv"),
    "conv without bias, norm": case(IMAGE, op("Conv", drawn(6, 4, 3, 3)), *NORM_2D, left="Conv"),
    "grouped conv, norm": case(IMAGE, conv(4, 6, group=2), *NORM_2D, left="Conv"),
    "conv, relu, norm, conv": case(
        IMAGE, conv(4, 6), RELU, *NORM_2D, conv(6, 2), left="Conv Relu Conv"
    ),
    "conv, norm, depthwise conv": case(
        IMAGE, *CONV, *NORM_2D, conv(6, 6, group=6), left="Conv Tanh Conv"
    ),
    "conv, norm, grouped conv": case(
        IMAGE, *CONV, *NORM_2D, conv(6, 4, group=2), left="Conv Tanh Conv"
    ),
    "conv that pads": case(
        IMAGE, *CONV, *NORM_2D, conv(6, 2, pads=PADDED), left="Conv Tanh Mul Add Conv"
    ),
    "conv that pads behind a product": case(
        IMAGE, *CONV, NORM_2D[0], conv(6, 2, pads=PADDED), left="Conv Tanh Conv"
    ),
    "transposed conv, norm": case(
        *(IMAGE, op("ConvTranspose", drawn(4, 6, 2, 2), drawn(6), strides=[2, 2]), *NORM_2D),
        left="ConvTranspose",
    ),
    "transposed grouped conv, norm": case(
        IMAGE, op("ConvTranspose", drawn(4, 3, 2, 2), group=2), *NORM_2D, left="ConvTranspose"
    ),
    "product, transposed conv": case(
        *(IMAGE, *CONV, NORM_2D[0], op("ConvTranspose", drawn(6, 2, 2, 2))),
        left="Conv Tanh ConvTranspose",
    ),
    "sum, transposed conv": case(
        *(IMAGE, *CONV, NORM_2D[1], op("ConvTranspose", drawn(6, 2, 2, 2))),
        left="Conv Tanh Add ConvTranspose",
    ),
    "past pooling and flattening": case(
        *(IMAGE, *CONV, *NORM_2D, POOL, op("Transpose", perm=[0, 2, 3, 1])),
        *(op("Reshape", np.array([-1, 54])), matmul(54, 2)),
        left="Conv Tanh MaxPool Transpose Reshape MatMul Add",
    ),
    "a product that turns signs, not past extremes": case(
        *(IMAGE, *CONV, op("Mul", SIGNED.reshape(6, 1, 1)), op("GlobalMaxPool"), op("Flatten")),
        matmul(6, 2),
        left="Conv Tanh Mul GlobalMaxPool Flatten MatMul",
    ),
    "past means": case(
        *(IMAGE, *CONV, *NORM_2D, op("ReduceMean", np.array([2, 3]), keepdims=0), matmul(6, 2)),
        left="Conv Tanh ReduceMean MatMul Add",
    ),
    "back past dimensions of one": case(
        *((4, 8), op("Unsqueeze", np.array([2])), op("Conv", drawn(6, 4, 1, 3))),
        *(op("Squeeze", np.array([2])), op("Transpose", perm=[0, 2, 1]), *NORM),
        left="Unsqueeze Conv Squeeze Transpose",
    ),
    "what varies with the place": case(
        IMAGE, conv(4, 6), op("Mul", drawn(1, 6, 6, 1)), left="Conv Mul"
    ),
    "what others read too": case(
        FLAT, *DENSE, *NORM, TANH, op("Add", 2), left="MatMul Add Mul Add Tanh Add"
    ),
    "an input's normalization": case(
        FLAT, op("Sub", drawn(4)), op("Div", drawn(4)), matmul(4, 2), left="Sub Div MatMul"
    ),
    "an input's scale": case(FLAT, op("Mul", np.array(1 / 255)), matmul(4, 2), left="MatMul"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_the_same_with_fewer_operators(name: str) -> None:
    shape, nodes, operators = CASES[name]
    model = model_of(shape, *nodes)
    before = outputs(model, shape)
    fold(model)
    make_canonical(model)
    onnx.checker.check_model(model, full_check=True)
    assert Counter(node.op_type for node in model.graph.node) == Counter(operators.split())
    after = outputs(model, shape)
    assert np.abs(after - before).max() < 2e-6 * np.abs(before).max()


def test_shapes_that_are_known_but_for_the_batch_are_stored() -> None:
    """As Keras's Flatten computes them; one of two unknown sizes is left."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "first"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    for size, left in ((3, 1), ("m", 4)):
        graph = helper.make_graph(
            nodes,
            "flatten",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(np.array([0], np.int64), "first"),
                numpy_helper.from_array(np.array([6] if left == 1 else [2, -1], np.int64), "rest"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        before = outputs(model, (2, 3))
        store_shapes(model)
        make_canonical(model)
        assert len(model.graph.node) == left
        assert np.array_equal(outputs(model, (2, 3)), before)
