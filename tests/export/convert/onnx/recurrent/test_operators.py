"""ONNX's recurrent operators, by what they compute of Keras's weights."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tf_keras
from onnx import helper, numpy_helper

from export.convert.onnx.recurrent.operators import (
    OPERATORS,
    attributes_of,
    drop_unread_outputs,
    weights_of,
)
from export.convert.recurrent.description import ACTIVATIONS, Recurrent, describe

STEPS, FEATURES, UNITS = 5, 3, 4
Layer = Callable[..., Any]
KINDS: dict[str, Layer] = {
    "SimpleRNN": keras.layers.SimpleRNN,
    "LSTM": keras.layers.LSTM,
    "GRU": keras.layers.GRU,
    "GRU of tf-keras": tf_keras.layers.GRU,
}


def built(layer: Any) -> Any:
    layer(np.zeros((1, STEPS, FEATURES), np.float32))
    draw = np.random.default_rng(1)
    layer.set_weights([draw.normal(size=values.shape) for values in layer.get_weights()])
    return layer


def last_outputs(recurrent: Recurrent, x: np.ndarray) -> np.ndarray:
    """Returns Y_h (directions, N, units) of the operator for sequences (N, T, features)."""
    names = ("W", "R", "B")
    node = helper.make_node(
        OPERATORS[recurrent.cells[0].kind],
        ["x", *names],
        ["", "last"],
        **attributes_of(recurrent),
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "layer",
        [value("x", onnx.TensorProto.FLOAT, ["steps", "n", x.shape[2]])],
        [value("last", onnx.TensorProto.FLOAT, None)],
        list(map(numpy_helper.from_array, weights_of(recurrent), names)),
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"x": x.transpose(1, 0, 2)})
    return np.asarray(found)


def check(layer: Any) -> None:
    x = np.random.default_rng(2).normal(size=(6, STEPS, FEATURES)).astype(np.float32)
    expected = np.asarray(built(layer)(x))
    found = np.concatenate(last_outputs(describe(layer), x), axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_computes_what_the_layer_does(kind: str) -> None:
    check(KINDS[kind](UNITS))


def test_a_gru_that_resets_before_the_product() -> None:
    check(keras.layers.GRU(UNITS, reset_after=False))


def test_a_layer_that_goes_backwards() -> None:
    check(keras.layers.LSTM(UNITS, go_backwards=True))


@pytest.mark.parametrize("kind", KINDS)
def test_two_directions_are_one_operator(kind: str) -> None:
    library = tf_keras if "tf" in kind else keras
    check(library.layers.Bidirectional(KINDS[kind](UNITS)))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_activations_with_their_parameters(kind: str, name: str) -> None:
    """One of the gates', whose parameters come first, and one of the candidate's."""
    layer = KINDS[kind](UNITS, activation=name, recurrent_activation="hard_sigmoid")
    check(keras.layers.Bidirectional(layer))


def test_what_nothing_reads_is_not_computed() -> None:
    node = helper.make_node("LSTM", ["x", "w", "r"], ["all", "last", "cell"], hidden_size=2)
    reader = helper.make_node("Relu", ["last"], ["out"])
    value = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([node, reader], "layer", [], [value])
    drop_unread_outputs(graph)
    assert list(graph.node[0].output) == ["", "last"]
