"""What becomes of a recurrent layer, by its kind, its steps, the format and what is asked for."""

from dataclasses import replace
from typing import Any

import keras
import pytest
import tf_keras

from export.convert.recurrent.description import describe
from export.convert.refusal import NoFormatHelpsError
from export.convert.tflite.recurrent.choice import alternatives, choose
from export.convert.tflite.recurrent.marks import Call
from export.formats.table import FORMATS
from tests.export.convert.tflite.recurrent.layers import layer_of
from train.common.errors import ToolkitError


def call_of(kind: str, steps: int | None = 50, **changes: Any) -> Call:
    layer, _ = layer_of(kind)
    call = Call(
        layer=layer,
        name=kind,
        recurrent=describe(layer),
        why="",
        batch=1,
        steps=steps,
        masked=False,
        given_states=False,
        passes_states=False,
    )
    return replace(call, **changes)


def way(call: Call, name: str, wanted: str = "auto") -> str:
    (found,) = choose([call], FORMATS[name], wanted).ways
    return found


@pytest.mark.parametrize(
    ("name", "kind", "steps", "expected"),
    [
        ("tflite-float32", "lstm", 50, "fused"),
        ("tflite-float32", "gru", 50, "loop"),
        ("tflite-float32", "gru", 4, "unrolled"),
        ("tflite-float32", "lstm", None, "loop"),
        ("tflite-dynamic", "lstm", 50, "fused"),
        ("tflite-int8", "lstm", 200, "fused"),
        ("tflite-int8", "gru", 200, "loop"),
        ("tflite-int8", "simple", 1, "unrolled"),
        ("tflite-int8", "gru", 2, "loop"),
        ("tflite-int8", "lstm", 2, "fused"),
        ("tflite-int16x8", "gru", 4, "unrolled"),
        ("tflite-int4", "gru", 1, "loop"),
        ("tflite-int4", "gru", 50, "loop"),
        ("tflite-int16x8", "gru", 50, "loop"),
        ("tflite-int16x8", "lstm", 200, "loop"),
        ("tflite-int8-qat", "lstm", 50, "fused"),
        ("tflite-int8-clustered", "lstm", 50, "unrolled"),
    ],
)
def test_the_best_way_for_a_format(name: str, kind: str, steps: int | None, expected: str) -> None:
    assert way(call_of(kind, steps), name) == expected


@pytest.mark.parametrize(
    ("name", "steps", "expected"),
    [
        ("tflite-float32", 50, "fused"),
        ("tflite-int8", 50, "loop"),
        ("tflite-int8", 1, "loop"),
        ("tflite-int8-qat", 50, "loop"),
        ("tflite-int8-clustered", 50, "unrolled"),
    ],
)
def test_outputs_that_are_multiplied_are_of_loops_in_8_bits(
    name: str, steps: int, expected: str
) -> None:
    call = call_of("lstm", steps, multiplied=True)
    assert way(call, name) == expected
    assert way(call, "tflite-int8", "fused") == "fused"


def test_what_the_fused_operator_lacks_is_a_loop() -> None:
    for lacking in ("masked", "passes_states", "given_states"):
        for name in ("tflite-float32", "tflite-int8"):
            assert way(call_of("lstm", **{lacking: True}), name) == "loop"
    assert way(call_of("lstm", batch=None), "tflite-float32") == "loop"


@pytest.mark.parametrize(
    ("name", "call", "wanted", "said"),
    [
        ("tflite-int8", call_of("gru"), "fused", "for LSTM only; use --recurrent loop or unrolled"),
        ("tflite-float32", call_of("lstm", masked=True), "fused", "no mask; use --recurrent loop"),
        ("tflite-int8", call_of("lstm", 200), "unrolled", "200 steps, at most 128"),
        (
            "tflite-int16x8",
            call_of("lstm"),
            "fused",
            "no LSTM operator of 16 bits; use --recurrent loop",
        ),
        ("tflite-int8-clustered", call_of("gru", 200), "auto", "at most 128 are written out"),
        ("tflite-int8", call_of("lstm", None), "auto", "sequences of any length"),
        ("tflite-int4", call_of("lstm", 4), "unrolled", "4 bits, and what it makes of its states"),
        ("tflite-int8-pruned", call_of("lstm"), "loop", "with its steps written out"),
    ],
)
def test_a_way_that_there_is_not_is_refused_with_what_to_do(
    name: str, call: Call, wanted: str, said: str
) -> None:
    with pytest.raises(ToolkitError) as refused:
        choose([call], FORMATS[name], wanted)
    assert isinstance(refused.value, NoFormatHelpsError) == (wanted != "auto")
    text = str(refused.value)
    assert text.startswith(f"{name}: layer {call.name!r} cannot be ")
    assert said in text
    assert "use " in text


@pytest.mark.parametrize(
    ("name", "steps", "refused"),
    [("tflite-int8", 32, False), ("tflite-int8", 33, True), ("tflite-int16x8", 33, False)],
)
def test_a_carry_of_8_bits_is_written_out_for_few_steps(
    name: str, steps: int, refused: bool
) -> None:
    layer = keras.layers.ConvLSTM2D(2, 3)
    call = replace(call_of("lstm", steps), layer=layer, recurrent=None, why="it is a ConvLSTM2D")
    if refused:
        with pytest.raises(ToolkitError, match=r"33 steps, .* 8 bits at each; at most 32 are"):
            way(call, name)
    else:
        assert way(call, name) == "unrolled"


def test_a_film_of_tf_keras_is_a_loop_whatever_its_steps() -> None:
    layer = tf_keras.layers.ConvLSTM2D(2, 3)
    call = replace(call_of("lstm", 3), layer=layer, recurrent=None, why="it is a ConvLSTM2D")
    assert way(call, "tflite-float32") == "loop"
    with pytest.raises(ToolkitError, match="cannot be unrolled: tf-keras has it as a loop only"):
        way(call, "tflite-int8")


def test_a_model_without_recurrent_layers_takes_no_option_for_them() -> None:
    with pytest.raises(ToolkitError, match="no recurrent layer in the model; leave it out"):
        choose([], FORMATS["tflite-int8"], "loop")
    assert choose([], FORMATS["tflite-int8"], "auto").ways == ()


def test_a_layer_that_is_called_twice_is_the_same_both_times() -> None:
    once = call_of("lstm")
    masked = replace(once, masked=True)
    assert choose([once, masked], FORMATS["tflite-int8"], "auto").ways == ("loop", "loop")


def test_what_fails_as_one_operator_may_be_a_loop() -> None:
    chosen = choose([call_of("lstm")], FORMATS["tflite-int8"], "auto")
    assert alternatives(chosen, FORMATS["tflite-int8"]) == ["loop"]
    chosen = choose([call_of("gru")], FORMATS["tflite-int8"], "auto")
    assert alternatives(chosen, FORMATS["tflite-int8"]) == []
