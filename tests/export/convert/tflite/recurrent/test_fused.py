"""TFLite's LSTM operator computes what Keras's layer does, whatever it computed before."""

import numpy as np
import pytest

from export.convert.tflite.recurrent.builder import TYPES
from export.convert.tflite.recurrent.fused import C, add_lstm, with_resets
from export.convert.tflite.recurrent.ranges import Ranges
from tests.export.convert.tflite.recurrent.layers import (
    FEATURES,
    STEPS,
    UNITS,
    decibels,
    empty_model,
    file_of,
    layer_of,
    run,
    sequences,
)

FLOAT32, INT8 = TYPES.FLOAT32, TYPES.INT8


def lstm_file(weights: int = FLOAT32, *, resets: bool = True, go_backwards: bool = False) -> bytes:
    _, cell = layer_of("lstm")
    on = empty_model()
    x = on.tensor((1, STEPS, FEATURES), FLOAT32)
    output = on.tensor((1, UNITS), FLOAT32)
    add_lstm(
        on,
        cell,
        x=x,
        output=output,
        sequences=False,
        go_backwards=go_backwards,
        weights=weights,
    )
    if resets:
        on.made = with_resets(on.tree, on.made, "reset")
    return file_of(on, [x], output)


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize(("weights", "least"), [(FLOAT32, 110), (INT8, 28)])
def test_it_is_the_layer(weights: int, least: float, go_backwards: bool) -> None:
    layer, _ = layer_of("lstm", go_backwards=go_backwards)
    content = lstm_file(weights, go_backwards=go_backwards)
    assert decibels(run(content, sequences(2)), np.asarray(layer(sequences(2)))) > least


@pytest.mark.parametrize("reference", [False, True])
def test_what_was_computed_before_changes_nothing(reference: bool) -> None:
    x = sequences(2)
    forwards = run(lstm_file(), x, reference=reference)
    backwards = run(lstm_file(), x[::-1], reference=reference)[::-1]
    assert np.array_equal(forwards, backwards)


def test_without_what_sets_its_states_back_it_would() -> None:
    x, content = sequences(2), lstm_file(resets=False)
    assert not np.allclose(run(content, x), run(content, x[::-1])[::-1], atol=1e-3)


@pytest.mark.parametrize(("carry", "told"), [(0.0, 1.0), (0.3, 1.0), (3.0, 3.0)])
def test_no_carry_is_finer_than_the_operator_has_tanh_for(carry: float, told: float) -> None:
    _, cell = layer_of("lstm")
    on = empty_model()
    x = on.tensor((1, STEPS, FEATURES), FLOAT32)
    output = on.tensor((1, UNITS), FLOAT32)
    ranges = Ranges(results=(), states=(), outputs=(-1.0, 1.0), carry=carry)
    made = add_lstm(
        on, cell, x=x, output=output, sequences=False, go_backwards=False, ranges=ranges
    )
    assert on.graph.tensors[made.inputs[C]].quantization.max == [told]
