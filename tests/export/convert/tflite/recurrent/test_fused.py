"""TFLite's LSTM operator computes what Keras's layer does, whatever it computed before."""

import numpy as np
import pytest

from export.convert.tflite.recurrent.fused import add_lstm, with_resets
from tests.export.convert.tflite.recurrent.layers import (
    FEATURES,
    FLOAT32,
    INT8,
    STEPS,
    UNITS,
    decibels,
    empty_model,
    file_of,
    layer_of,
    run,
    sequences,
)


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
