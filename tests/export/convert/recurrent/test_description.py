"""What is read from recurrent layers, by computing with it what Keras computes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from export.convert.recurrent.description import (
    Activation,
    Cell,
    IndescribableError,
    describe,
    recurrent_layers,
    refusal,
)
from export.model.keras.call import open_keras
from export.model.request import ModelRequest

STEPS, FEATURES, UNITS = 4, 3, 2
LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
FUNCTIONS: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "linear": lambda x, _, __: x,
    "tanh": lambda x, _, __: np.tanh(x),
    "sigmoid": lambda x, _, __: 1 / (1 + np.exp(-x)),
    "relu": lambda x, _, __: np.maximum(x, 0),
    "softsign": lambda x, _, __: x / (1 + np.abs(x)),
    "softplus": lambda x, _, __: np.log1p(np.exp(x)),
    "elu": lambda x, alpha, _: np.where(x > 0, x, alpha * np.expm1(x)),
    "leaky_relu": lambda x, alpha, _: np.where(x > 0, x, alpha * x),
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
}


def applied(function: Activation | None, x: np.ndarray) -> np.ndarray:
    assert function is not None
    return FUNCTIONS[function.name](x, function.alpha or 0, function.beta or 0)


def computed(cell: Cell, sequence: np.ndarray) -> np.ndarray:
    """Returns the outputs (N, T, units) by the equations of the module."""

    def activation(x: np.ndarray) -> np.ndarray:
        return applied(cell.activation, x)

    def gate(x: np.ndarray) -> np.ndarray:
        return applied(cell.recurrent_activation, x)

    h = c = np.zeros((len(sequence), cell.units))
    outputs = []
    for step in range(sequence.shape[1]):
        x = sequence[:, step] @ cell.kernel + cell.bias
        inner = h @ cell.recurrent_kernel + cell.recurrent_bias
        if cell.kind == "simple":
            h = activation(x + inner)
        elif cell.kind == "lstm":
            i, f, new, o = np.split(x + inner, 4, axis=1)
            c = gate(f) * c + gate(i) * activation(new)
            h = gate(o) * activation(c)
        else:
            z, r = (gate(found) for found in np.split((x + inner)[:, : 2 * cell.units], 2, axis=1))
            last = slice(2 * cell.units, None)
            reset = r * inner[:, last]
            if not cell.reset_after:
                reset = (r * h) @ cell.recurrent_kernel[:, last]
            h = z * h + (1 - z) * activation(x[:, last] + reset)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def built(layer: Any) -> Any:
    layer(np.zeros((1, STEPS, FEATURES), np.float32))
    draw = np.random.default_rng(1)
    layer.set_weights([draw.normal(size=values.shape) for values in layer.get_weights()])
    return layer


def activated(name: str, kl: Any) -> Any:
    functions = {"activation": name, "recurrent_activation": "hard_sigmoid"}
    return kl.LSTM(UNITS, return_sequences=True, **functions)


KINDS: dict[str, Callable[[Any], Any]] = {
    "SimpleRNN": lambda kl: kl.SimpleRNN(UNITS, return_sequences=True),
    "LSTM": lambda kl: kl.LSTM(UNITS, return_sequences=True),
    "GRU": lambda kl: kl.GRU(UNITS, return_sequences=True),
    "GRU, reset before": lambda kl: kl.GRU(UNITS, reset_after=False, return_sequences=True),
    "no bias": lambda kl: kl.GRU(UNITS, use_bias=False, return_sequences=True),
    "RNN of a cell": lambda kl: kl.RNN(kl.LSTMCell(UNITS), return_sequences=True),
    **{name: partial(activated, name) for name in FUNCTIONS},
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_described_cell_computes_what_keras_does(kind: str, library: str) -> None:
    layer = built(KINDS[kind](LIBRARIES[library].layers))
    (cell,) = describe(layer).cells
    x = np.random.default_rng(2).normal(size=(5, STEPS, FEATURES)).astype(np.float32)
    np.testing.assert_allclose(computed(cell, x), np.asarray(layer(x)), atol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_bidirectional_layer_is_one(library: str) -> None:
    kl = LIBRARIES[library].layers
    lstm = kl.LSTM(UNITS, return_sequences=True, return_state=True)
    layer = built(kl.Bidirectional(lstm, merge_mode="sum"))
    found = describe(layer)
    x = np.random.default_rng(2).normal(size=(5, STEPS, FEATURES)).astype(np.float32)
    forward, backward = found.cells
    total = computed(forward, x) + computed(backward, x[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(total, np.asarray(layer(x)[0]), atol=1e-5)
    assert (found.bidirectional, found.merge_mode) == (True, "sum")
    assert found.return_sequences
    assert found.return_state
    assert found.zero_output_for_mask


class Subclass(keras.layers.GRU):
    """A layer that may compute anything."""


class OwnCell(keras.layers.GRUCell):
    """A cell that may compute anything."""


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (keras.layers.GRU(2, activation="selu"), "has the activation selu"),
        (keras.layers.LSTM(2, activation=lambda x: x), "has the activation <lambda>"),
        (Subclass(2), r"\(Subclass\) is none of Keras's"),
        (keras.layers.RNN(OwnCell(2)), "has a cell of its own, OwnCell"),
        (
            keras.layers.RNN([keras.layers.LSTMCell(2), keras.layers.GRUCell(2)]),
            "of its own, StackedRNNCells",
        ),
        (tf_keras.layers.LSTM(2, time_major=True), "takes steps first"),
        (
            keras.layers.Bidirectional(
                keras.layers.GRU(2), backward_layer=keras.layers.LSTM(2, go_backwards=True)
            ),
            "has layers of two kinds",
        ),
    ],
)
def test_what_cannot_be_described_is_named(layer: Any, why: str) -> None:
    layer(np.zeros((1, 2, 3), np.float32))
    with pytest.raises(IndescribableError, match=why) as error:
        describe(layer)
    assert layer.name in str(error.value)


def test_a_layer_that_is_not_built_cannot_be_described() -> None:
    assert "has no weights yet" in (refusal(keras.layers.LSTM(2)) or "")


def test_layers_of_a_model_are_found_once() -> None:
    kl = keras.layers
    inner = keras.Sequential([kl.GRU(2, return_sequences=True, name="inner")])
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES)),
            inner,
            kl.Bidirectional(kl.LSTM(2, return_sequences=True), name="both"),
            kl.Bidirectional(kl.GRU(2, activation="selu"), name="other"),
            kl.Dense(1),
        ]
    )
    loaded = open_keras(model, ModelRequest(path="model"), lambda operators: None)
    embedded = replace(loaded, keras_model=None)  # as behind its preprocessing
    found = recurrent_layers(embedded.layers)
    names = sorted(layer.name.partition("_")[0] for layer in found)
    assert names == ["backward", "both", "forward", "inner"]
