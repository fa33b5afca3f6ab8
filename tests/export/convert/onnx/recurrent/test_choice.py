"""What becomes of recurrent layers in `.onnx` files."""

import keras
import numpy as np
import pytest

from export.convert.onnx.recurrent.choice import check_steps, choose, told
from export.convert.tflite.recurrent.marks import Call
from export.formats.table import FORMATS
from train.common.errors import ToolkitError

FLOAT, INT8 = FORMATS["onnx-float32"], FORMATS["onnx-int8"]


class OwnCell(keras.layers.GRUCell):
    """A cell that may compute anything."""


@pytest.fixture(scope="module")
def layers() -> list[keras.layers.Layer]:
    found = [keras.layers.LSTM(2, name="first"), keras.layers.RNN(OwnCell(2), name="second")]
    for layer in found:
        layer(np.zeros((1, 2, 3), np.float32))
    return found


def test_what_cannot_be_an_operator_is_a_loop(layers: list[keras.layers.Layer]) -> None:
    found = choose(layers, FLOAT, "auto")
    assert [layer.name for layer in found.fused] == ["first"]
    assert not found.unroll
    assert found.text.startswith("first as LSTM, second as a loop: layer 'second' (RNN) has a cell")


@pytest.mark.parametrize(("wanted", "unroll"), [("loop", False), ("unrolled", True)])
def test_all_are_what_is_asked_for(
    wanted: str, unroll: bool, layers: list[keras.layers.Layer]
) -> None:
    found = choose(layers, FLOAT, wanted)
    assert (found.fused, found.unroll) == ((), unroll)


def test_a_layer_without_an_operator_is_named(layers: list[keras.layers.Layer]) -> None:
    with pytest.raises(
        ToolkitError, match=r"--recurrent fused, but layer 'second' .* OwnCell; use auto or loop"
    ):
        choose(layers, FLOAT, "fused")


@pytest.mark.parametrize("wanted", ["fused", "loop", "unrolled"])
def test_a_model_without_recurrent_layers_takes_no_option(wanted: str) -> None:
    assert choose([], FLOAT, "auto").text == ""
    with pytest.raises(ToolkitError, match=f"--recurrent {wanted} for a model without"):
        choose([], FLOAT, wanted)


def a_call(steps: int | None) -> Call:
    return Call(
        layer=None,
        name="long",
        recurrent=None,
        why="",
        batch=None,
        steps=steps,
        masked=False,
        given_states=False,
        passes_states=False,
    )


@pytest.mark.parametrize(
    ("steps", "why"),
    [([None], "layer 'long' takes sequences of any length"), ([100, 29], "have 129 steps")],
)
def test_so_many_steps_are_not_written_out(steps: list[int | None], why: str) -> None:
    check_steps([a_call(100), a_call(28)], FLOAT)
    with pytest.raises(ToolkitError, match=f"--recurrent unrolled, but .*{why}.* auto or loop"):
        check_steps(list(map(a_call, steps)), FLOAT)


def test_integer_formats_say_what_is_computed_in_float(layers: list[keras.layers.Layer]) -> None:
    (seen,) = told(choose(layers[:1], INT8, "auto"), INT8)
    assert seen.value == "first as LSTM (weights in 8 bits, computed in float)"
    (seen,) = told(choose(layers[:1], FLOAT, "auto"), FLOAT)
    assert seen.value == "first as LSTM"
    assert told(choose([], INT8, "auto"), INT8) == []
