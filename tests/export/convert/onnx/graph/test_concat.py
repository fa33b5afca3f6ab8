"""ReLUs before a concatenation are one behind it, where each of its parts has one."""

import numpy as np
import onnx
import pytest

from export.convert.onnx.graph.concat import one_relu_behind
from tests.export.convert.onnx.graph.test_fold import outputs

HEAD = '<ir_version: 9, opset_import: ["": 18]> g (float[n,4] x) => (float[n,m] y) '


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        (
            "{ a = Relu(x) m = Neg(x) b = Relu(m) y = Concat<axis=1>(a, b) }",
            ["Neg", "Concat", "Relu"],
        ),
        (
            "{ a = Relu(x) m = Neg(x) y = Concat<axis=1>(a, m) }",
            ["Relu", "Neg", "Concat"],
        ),
        (
            "{ a = Relu(x) m = Neg(a) b = Relu(m) y = Concat<axis=1>(a, b) }",
            ["Relu", "Neg", "Relu", "Concat"],
        ),
        ("{ a = Relu(x) y = Concat<axis=1>(a, a) }", ["Relu", "Concat"]),
        (
            "{ m = Neg(x) a = Relu(x) b = Relu(m) n = Abs(x) c = Relu(n) t = Tanh(x)"
            " y = Concat<axis=1>(t, a, b, c, m) }",
            ["Neg", "Abs", "Tanh", "Concat", "Relu", "Concat"],
        ),
    ],
)
def test_it_computes_the_same(body: str, operators: list[str]) -> None:
    model = onnx.parser.parse_model(HEAD + body)
    before = outputs(model, (4,))
    one_relu_behind(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == operators
    assert np.array_equal(outputs(model, (4,)), before)
