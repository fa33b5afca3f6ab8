"""Outputs whose channels one scale of 8 bits cannot hold."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from export.convert.candidates.trials import convert
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.channels import lost_channels
from export.verify.graph.read import read_graph
from tests.export.conftest import load_source, settings_of

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

layers = keras.layers
Head = Callable[[keras.KerasTensor], keras.KerasTensor | list[keras.KerasTensor]]


def detector(x: keras.KerasTensor) -> keras.KerasTensor:
    """Boxes of 0…640 and scores of 0…1 of six candidates, by candidate."""
    boxes = layers.Rescaling(640.0)(layers.Dense(24, activation="sigmoid")(x))
    scores = layers.Dense(12, activation="sigmoid")(x)
    both = [layers.Reshape((4, 6))(boxes), layers.Reshape((2, 6))(scores)]
    return layers.Permute((2, 1), name="out")(layers.Concatenate(axis=1)(both))


def weather(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Pressure beside a probability, as the second output."""
    pressure = layers.Rescaling(20.0, 1000.0)(layers.Dense(1, activation="tanh")(x))
    rain = layers.Dense(1, activation="sigmoid")(x)
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    return [kind, layers.Concatenate(name="out")([pressure, rain])]


def units(x: keras.KerasTensor) -> keras.KerasTensor:
    """A last layer whose channels have units of their own."""
    return layers.Dense(3, name="out")(x)


def positive(x: keras.KerasTensor) -> keras.KerasTensor:
    """The same of a convolution that cuts off below zero."""
    pixels = layers.Reshape((4, 4, 2))(x)
    return layers.Conv2D(3, 2, activation="relu", name="out")(pixels)


def normalized(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Rescaling([200.0, 1.0], [1e4, 0.0], name="out")(layers.Dense(2)(x))


def units_of(model: keras.Model) -> None:
    """Gives the channels of a last layer very different sizes."""
    last = model.layers[-1]
    if last.weights and last.kernel.shape[-1] == 3:
        last.kernel.assign(last.kernel.numpy() * np.asarray([30.0, 1.0, 0.02]))
    if isinstance(last, layers.Dense):
        last.bias.assign([900.0, 0.0, -5.0])


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (detector, {"MUL", "RESHAPE", "CONCATENATION", "TRANSPOSE"}),
        (weather, {"MUL", "ADD", "CONCATENATION"}),
        (units, {"MUL", "ADD"}),
        (positive, {"MUL", "ADD"}),
        (normalized, {"MUL", "ADD"}),
    ],
)
def test_float_outputs_keep_their_channels(head: Head, tail: set[str], tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    image = keras.Input((28, 28), name="image")
    x = layers.Dense(32, activation="relu")(layers.Flatten()(image))
    model = keras.Model(image, head(x))
    units_of(model)
    model.save(tmp_path / "model.keras")
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS["tflite-int8"]
    inputs = source.representative.inputs
    wanted = source.predict(inputs)
    lost = {}
    for io in ("int8", "float32"):
        path = tmp_path / f"{io}.tflite"
        path.write_bytes(
            convert(entry, settings_of(entry, ExportOptions(io=io)), "min-max", source)
        )
        graph = read_graph(path)
        assert not graph.float_operators
        assert {*graph.float_tail} == (tail if io == "float32" else set())
        with open_runner("litert", path, threads=1) as runner:
            found = predict(runner, inputs)
            assert list(found) == [spec.name for spec in source.outputs]
        lost[io] = [lost_channels(found[name], wanted[name]) for name in wanted]
    assert any(lost["int8"])
    assert not any(lost["float32"])
    error = np.abs(found["out"] - wanted["out"]).reshape(-1, wanted["out"].shape[-1])
    spread = wanted["out"].std(axis=0).reshape(-1, wanted["out"].shape[-1]).mean(axis=0)
    assert np.all(error.mean(axis=0) < 0.15 * spread)


def test_what_one_scale_holds_is_quantized_to_the_end(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    x = layers.Dense(32, activation="relu")(layers.Flatten()(image))
    halves = [layers.Dense(5)(x), layers.Dense(5)(x)]
    keras.Model(image, layers.Concatenate(name="out")(halves)).save(tmp_path / "model.keras")
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS["tflite-int4"]
    path, settings = tmp_path / "model.tflite", settings_of(entry, ExportOptions(io="float32"))
    path.write_bytes(convert(entry, settings, "percentile", source))
    assert read_graph(path).float_tail == ()
