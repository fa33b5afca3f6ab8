"""The networks of the table as one would write them by hand for ONNX Runtime."""

from typing import Any

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.convert.onnx.recurrent.operators import OPERATORS, attributes_of, weights_of
from export.convert.recurrent.description import describe

KINDS = (
    *("lstm", "gru", "gru_reset_before", "simple", "hard_sigmoid", "backwards"),
    *("concat", "concat_gru", "masking", "masking_gru"),
)
Nodes = list[tuple[str, list[str], list[str], dict[str, Any]]]


def by_hand(model: keras.Model, kind: str) -> bytes:
    """Returns a file with ONNX's operator for a network of one recurrent layer and its head.

    Padded sequences are told the operator by their lengths: steps that hold another number than 0.
    """
    (layer,) = (found for found in model.layers if hasattr(found, "return_sequences"))
    recurrent = describe(layer)
    masked = kind.startswith("masking")
    nodes: Nodes = [("Transpose", ["x"], ["steps_first"], {"perm": [1, 0, 2]})]
    if masked:
        nodes += [
            ("Equal", ["x", "zero"], ["is_zero"], {}),
            ("Not", ["is_zero"], ["is_some"], {}),
            ("Cast", ["is_some"], ["numbers"], {"to": onnx.TensorProto.INT32}),
            ("ReduceMax", ["numbers", "last"], ["counts"], {"keepdims": 0}),
            ("ReduceSum", ["counts", "last"], ["lengths"], {"keepdims": 0}),
        ]
    reads = ["steps_first", "W", "R", "B", *(["lengths"] if masked else [])]
    operator = OPERATORS[recurrent.cells[0].kind]
    nodes += [
        (operator, reads, ["", "state"], attributes_of(recurrent)),
        ("Transpose", ["state"], ["turned"], {"perm": [1, 0, 2]}),
        ("Reshape", ["turned", "flat"], ["features"], {}),
        ("Gemm", ["features", "kernel", "bias"], ["logits"], {}),
        ("Softmax", ["logits"], ["head"], {"axis": 1}),
    ]
    kernel, bias = model.get_layer("head").get_weights()
    width = len(recurrent.cells) * recurrent.cells[0].units
    stored = {
        **dict(zip(("W", "R", "B"), weights_of(recurrent), strict=True)),
        "kernel": kernel,
        "bias": bias,
        "flat": np.array([-1, width]),
        "zero": np.float32(0),
        "last": np.array([-1]),
    }
    used = {name for _, inputs, _, _ in nodes for name in inputs}
    value, kind_of = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(name, reads, makes, **more) for name, reads, makes, more in nodes],
        "by_hand",
        [value("x", kind_of, ["n", *model.input_shape[1:]])],
        [value("head", kind_of, ["n", len(bias)])],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items() if n in used],
    )
    opset = helper.make_opsetid("", 18)
    found = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return bytes(found.SerializeToString())
