"""Small trained models with a fault that plain integers do not bear."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.source import SourceModel
from export.model.load import load_model
from export.model.request import ModelRequest
from export.verify.expectation import Expectation

CLASSES, TRAINED, HELD_OUT, CALIBRATION = 4, 1_500, 800, 200
LARGE_UNIT = 5_000.0


def causal() -> keras.Model:
    """Attention whose causal mask writes the lowest float32 where it must not look."""
    signal = layers.Input((12, 8), name="signal")
    x = layers.Dense(16)(signal)
    x = layers.Add()(
        [x, layers.MultiHeadAttention(2, 8, name="attention")(x, x, use_causal_mask=True)]
    )
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def masked() -> keras.Model:
    """Attention that looks at steps whose first channel is low: −1e9 times what it is above.

    A mask that is computed, and so no constant that could be another.
    """
    signal = layers.Input((12, 8), name="signal")
    x = layers.Dense(16, activation="relu", name="front")(signal)
    scores = layers.Flatten()(layers.Dense(1, name="scores")(x))
    above = layers.Flatten()(layers.ReLU()(signal[:, :, :1] - 0.5))
    attention = layers.Softmax(name="attention")(layers.Add(name="masked")([scores, above * -1e9]))
    x = layers.Dot(1)([attention, x])
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def outlier() -> keras.Model:
    """A hidden layer with one unit 400 times as large, which the next divides by as much."""
    signal = layers.Input((12, 8), name="signal")
    x = layers.Dense(64, activation="relu", name="front")(layers.Flatten()(signal))
    x = layers.Dense(16, activation="relu", name="wide")(x)
    x = layers.Dense(16, activation="relu", name="mix")(x)
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def scale_a_unit(model: keras.Model, factor: float = 400.0) -> None:
    """Makes a unit of `wide` larger, and what reads it smaller: the same function."""
    wide, mix = model.get_layer("wide"), model.get_layer("mix")
    (kernel, bias), (after, other) = wide.get_weights(), mix.get_weights()
    kernel[:, 3] *= factor
    bias[3] = 0.5 * factor  # it is never silent
    after[3] /= factor
    wide.set_weights([kernel, bias])
    mix.set_weights([after, other])


def units() -> keras.Model:
    """Features in units of their own, as of pressure in Pa beside degrees, which a layer undoes."""
    signal = layers.Input((12, 8), name="signal")
    variance = [LARGE_UNIT**2, *[1.0] * 7]
    x = layers.Normalization(mean=[0.0] * 8, variance=variance, name="normal")(signal)
    x = layers.Conv1D(16, 3, activation="relu", name="front")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax", name="head")(x))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A loaded model, and what its files are verified against."""

    source: SourceModel
    expected: Expectation


def case_of(build: Callable[[], keras.Model], folder: Path, unit: float = 1.0) -> Case:
    """Returns a model trained for a moment on noisy prototypes, one of each class.

    The first feature is in a unit of its own.
    """
    keras.utils.set_random_seed(1)
    model = build()
    random = np.random.RandomState(0)
    shape = model.inputs[0].shape[1:]
    prototypes = random.normal(size=(CLASSES, *shape))
    labels = random.randint(0, CLASSES, TRAINED + HELD_OUT + CALIBRATION)
    noise = random.normal(0, 0.8, (len(labels), *shape))
    values = (prototypes[labels] + noise).astype(np.float32)
    values[..., 0] *= unit
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(values[:TRAINED], labels[:TRAINED], epochs=6, verbose=0)
    if "wide" in {layer.name for layer in model.layers}:
        scale_a_unit(model)
    path = folder / "model.keras"
    model.save(path)
    loaded = load_model(ModelRequest(path=str(path)))
    held_out = slice(TRAINED, TRAINED + HELD_OUT)
    source = SourceModel(
        loaded,
        representative=RepresentativeDataset(
            inputs={"signal": values[TRAINED + HELD_OUT :]}, sha256="", examples=()
        ),
        training=None,
        folder=folder,
    )
    (output,) = source.outputs
    inputs = {"signal": values[held_out]}
    return Case(
        source=source,
        expected=Expectation(
            input_specs=source.inputs,
            output_specs=source.outputs,
            weights=source.weight_count(),
            inputs=inputs,
            labels={output.name: labels[held_out]},
            outputs=source.predict(inputs),
        ),
    )
