"""The recurrent layers of the table, each in a small network whose weights saturate nothing."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as kl

FEATURES, UNITS, CLASSES, WORDS = 8, 16, 4, 50
FRAME = (5, 5, 2)  # of a film
STEPS = (1, 12, 50, 200)
KERNEL, BIAS, HEAD = 1.2, 0.2, 2.5  # of weights: their deviation times the root of the inputs
# Products of two outputs are a quarter as large as these, and a head that was trained would be so
# much larger: by the others' head, the classes differ by fewer steps of 1/256 than 25 dB take.
PRODUCTS = 4.0
Tensors = Any


@keras.saving.register_keras_serializable("zoo")
class HalvedCell(kl.SimpleRNNCell):
    """A cell that no operator computes."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Returns half of what Keras's returns."""
        output, _ = super().call(inputs, states, training=training)
        return output / 2, [output / 2]


def _both(layer: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda x: kl.Bidirectional(layer, **options)(x)


def _then(*parts: Any) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        for part in parts:
            x = part(x)
        return x

    return build


# What stands between the input and the classes. Fresh layers for each model.
KINDS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "lstm": lambda: kl.LSTM(UNITS),
    "gru": lambda: kl.GRU(UNITS),
    "gru_reset_before": lambda: kl.GRU(UNITS, reset_after=False),
    "simple": lambda: kl.SimpleRNN(UNITS),
    "hard_sigmoid": lambda: kl.LSTM(UNITS, recurrent_activation="hard_sigmoid"),
    "backwards": lambda: kl.GRU(UNITS, go_backwards=True),
    "stacked": lambda: _then(kl.LSTM(UNITS, return_sequences=True), kl.GRU(UNITS)),
    # classes of each step; of an average over many, what varies is less than 8 bits hold
    "sequences": lambda: kl.LSTM(UNITS, return_sequences=True),
    "concat": lambda: _both(kl.LSTM(UNITS)),
    "concat_gru": lambda: _both(kl.GRU(UNITS)),
    "sum": lambda: _both(kl.GRU(UNITS), merge_mode="sum"),
    "mul": lambda: _both(kl.LSTM(UNITS), merge_mode="mul"),
    "ave": lambda: _both(kl.SimpleRNN(UNITS), merge_mode="ave"),
    "masking": lambda: _then(kl.Masking(), kl.LSTM(UNITS)),
    "masking_gru": lambda: _then(kl.Masking(), kl.GRU(UNITS)),
    "masked_stack": lambda: _then(
        kl.Masking(), kl.Bidirectional(kl.LSTM(UNITS, return_sequences=True)), kl.GRU(UNITS)
    ),
    "mask_zero": lambda: _then(kl.Embedding(WORDS, FEATURES, mask_zero=True), kl.GRU(UNITS)),
    "own_cell": lambda: kl.RNN(HalvedCell(UNITS)),
    "conv_lstm": lambda: _then(kl.ConvLSTM2D(UNITS, 3), kl.GlobalAveragePooling2D()),
}
STREAM = "streaming"  # states are inputs and outputs
NAMES = (*KINDS, STREAM)
MASKED = ("masking", "masking_gru", "masked_stack", "mask_zero")


def model_of(kind: str, steps: int) -> keras.Model:
    """Returns a network with a layer for sequences of some steps, with its weights."""
    shape: tuple[int, ...] = (steps, FEATURES)
    if kind == "conv_lstm":
        shape = (steps, *FRAME)
    words = kind == "mask_zero"
    x = keras.Input(shape[:1] if words else shape, name="x", dtype="int32" if words else "float32")
    if kind == STREAM:
        states = [keras.Input((UNITS,), name=name) for name in ("h", "c")]
        found, h, c = kl.LSTM(UNITS, return_state=True)(x, initial_state=states)
        after = [kl.Identity(name="h_after")(h), kl.Identity(name="c_after")(c)]
        model = keras.Model([x, *states], [kl.Dense(CLASSES, name="head")(found), *after])
    else:
        head = kl.Dense(CLASSES, activation="softmax", name="head")
        model = keras.Model(x, head(KINDS[kind]()(x)))
    draw = np.random.default_rng(5)
    for weight in model.weights:
        inputs = max(1, int(np.prod(weight.shape[:-1])))
        deviation = BIAS if "bias" in weight.path else KERNEL / np.sqrt(inputs)
        if "embedding" in weight.path:
            deviation = 1.0
        factor = HEAD if "head" in weight.path else 1.0
        if kind == "mul" and weight.path.endswith("head/kernel"):
            factor *= PRODUCTS
        weight.assign(draw.normal(size=weight.shape) * deviation * factor)
    return model


def data_of(kind: str, steps: int, count: int, seed: int) -> dict[str, np.ndarray]:
    """Returns examples (count, …) by the input's name; padded at the end where there is a mask."""
    draw = np.random.default_rng(seed)
    shape = (count, steps, *(FRAME if kind == "conv_lstm" else (FEATURES,)))
    x = draw.normal(size=shape).astype(np.float32)
    if kind == "mask_zero":
        x = draw.integers(1, WORDS, shape[:2]).astype(np.int32)
    if kind in MASKED:
        for example in x:
            example[draw.integers(max(1, steps // 4), steps + 1) :] = 0
    found: dict[str, np.ndarray] = {"x": x}
    if kind == STREAM:
        for name in ("h", "c"):
            found[name] = draw.normal(size=(count, UNITS)).astype(np.float32) / 2
    return found
