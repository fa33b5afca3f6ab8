"""States as inputs and outputs of files, and between layers, in float and in integers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.convert.tflite.recurrent.builder import CODES, in_order
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.model.load import load_model
from export.model.request import ModelRequest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph.read import read_graph
from tests.export.conftest import settings_of
from tests.export.convert.tflite.recurrent.layers import decibels, empty_model

pytestmark = pytest.mark.slow  # it converts with TensorFlow

L = keras.layers
STEPS, FEATURES, UNITS, CHAINED = 20, 6, 12, 50
Arrays = Mapping[str, np.ndarray]
LEAST = {"tflite-float32": 100, "tflite-int8": 25, "tflite-int16x8": 30}


def _sequence(name: str = "x", steps: int = STEPS) -> Any:
    return keras.Input((steps, FEATURES), name=name)


def _translator() -> keras.Model:
    """An encoder's states are where a decoder begins."""
    x, d = _sequence(), _sequence("d", 15)
    _, h, c = L.LSTM(UNITS, return_state=True)(x)
    y = L.LSTM(UNITS, return_sequences=True)(d, initial_state=[h, c])
    return keras.Model([x, d], L.Dense(4, name="head")(y))


def _both_ways() -> keras.Model:
    x = _sequence()
    both = L.Bidirectional(L.LSTM(UNITS, return_sequences=True, return_state=True))
    y, *states = both(x)
    return keras.Model(x, [L.Dense(3, name="head")(y), L.Concatenate(name="states")(states)])


def _states_alone() -> keras.Model:
    x = _sequence()
    _, h, c = L.LSTM(UNITS, return_sequences=True, return_state=True)(x)
    return keras.Model(x, L.Dense(3, name="head")(L.Add()([h, c])))


def _computed_first_state() -> keras.Model:
    x, z = _sequence(), keras.Input((5,), name="z")
    first = L.Dense(UNITS, activation="tanh")(z)
    return keras.Model([x, z], L.Dense(3, name="head")(L.SimpleRNN(UNITS)(x, initial_state=first)))


def _stored_first_state() -> keras.Model:
    x = _sequence()
    first = keras.ops.zeros_like(L.Dense(UNITS)(x[:, 0]))
    _, h = L.GRU(UNITS, return_state=True)(x, initial_state=first)
    return keras.Model(x, L.Dense(3, name="head")(h))


def _one_step(kind: str, steps: int = 1) -> keras.Model:
    """A step of a stream: the states before it are inputs, those after it outputs."""
    names = ("h", "c")[: 2 if kind == "LSTM" else 1]
    x, states = _sequence(steps=steps), [keras.Input((UNITS,), name=name) for name in names]
    y, *after = getattr(L, kind)(UNITS, return_state=True)(x, initial_state=states)
    named = [
        L.Identity(name=f"{name}_after")(state) for name, state in zip(names, after, strict=True)
    ]
    return keras.Model([x, *states], [L.Dense(4, name="head")(y), *named])


def _weighted(model: keras.Model) -> keras.Model:
    random = np.random.default_rng(5)
    for weights in model.weights:
        spread = 0.2 if "bias" in weights.path else 1.2 / np.sqrt(weights.shape[0])
        weights.assign(random.normal(size=weights.shape) * spread)
    return model


def _data(model: keras.Model, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    found = {each.name: random.normal(size=(200, *each.shape[1:])) for each in model.inputs}
    return {
        name: (0.6 * values if name in ("h", "c") else values).astype(np.float32)
        for name, values in found.items()
    }


def _keras(model: keras.Model) -> Callable[[Arrays], dict[str, np.ndarray]]:
    def run(given: Arrays) -> dict[str, np.ndarray]:
        inputs = [given[each.name] for each in model.inputs]
        outputs = model(inputs if len(inputs) > 1 else inputs[0])
        flat = outputs if isinstance(outputs, list) else [outputs]
        return dict(zip(model.output_names, map(np.asarray, flat), strict=True))

    return run


def _file(model: keras.Model, inputs: Arrays, name: str, folder: Path) -> Path:
    model.save(folder / "model.keras")
    source = SourceModel(
        load_model(ModelRequest(path=str(folder / "model.keras"))),
        representative=RepresentativeDataset(inputs=dict(inputs), sha256="", examples=()),
        training=None,
        folder=folder,
    )
    entry = FORMATS[name]
    method = "min-max" if entry.calibrated else None
    path = folder / "file.tflite"
    path.write_bytes(convert(entry, settings_of(entry, ExportOptions()), method, source))
    return path


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize(
    "build",
    [
        *(_translator, _both_ways, _states_alone, _computed_first_state, _stored_first_state),
        lambda: _one_step("LSTM", STEPS),
    ],
)
def test_loops_take_and_give_states(
    build: Callable[[], keras.Model], name: str, tmp_path: Path
) -> None:
    model = _weighted(build())
    path = _file(model, _data(model, 1), name, tmp_path)
    fresh = _data(model, 2)
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, fresh)
    for output, expected in _keras(model)(fresh).items():
        assert decibels(found[output], expected) > LEAST[name], output
    graph = read_graph(path)
    assert "WHILE" in graph.operators
    assert len(graph.operators) < 100  # written out, they are more
    if FORMATS[name].calibrated:
        assert not graph.float_operators


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_stream_is_no_noise_after_many_steps_of_8_bits(kind: str, tmp_path: Path) -> None:
    model = _weighted(_one_step(kind))
    names = [each.name for each in model.inputs[1:]]
    exact = _keras(model)

    def chained(step: Callable[[Arrays], Arrays], x: np.ndarray) -> tuple[list[Any], list[Any]]:
        states: Arrays = {name: np.zeros((len(x), UNITS), np.float32) for name in names}
        given, made = [], []
        for index in range(x.shape[1]):
            given.append({"x": x[:, index : index + 1], **states})
            made.append(step(given[-1]))
            states = {name: made[-1][f"{name}_after"] for name in names}
        return given, made

    def sequences(count: int, seed: int) -> np.ndarray:
        found = np.random.default_rng(seed).normal(size=(count, CHAINED, FEATURES))
        return found.astype(np.float32)

    given, _ = chained(exact, sequences(8, 1))
    seen = {name: np.concatenate([each[name] for each in given]) for name in given[0]}
    path = _file(model, seen, "tflite-int8", tmp_path)
    fresh = sequences(30, 2)
    _, expected = chained(exact, fresh)
    with open_runner("litert", path, threads=1) as runner:
        _, found = chained(lambda inputs: predict(runner, dict(inputs)), fresh)
    for name, last in expected[-1].items():
        assert decibels(found[-1][name], last) > 25, name


def test_operators_come_after_what_they_read() -> None:
    on = empty_model()
    a, b, c, d = (on.tensor((1,), 0) for _ in range(4))
    last = on.add(CODES.ADD, [a, c], [d])
    first = on.add(CODES.ADD, [a, a], [b])
    middle = on.add(CODES.ADD, [b, a], [c])
    found = in_order([last, first, middle])
    assert [*map(id, found)] == [*map(id, (first, middle, last))]
    on.add(CODES.ADD, [d, d], [a])
    with pytest.raises(ValueError, match="from what they make"):
        in_order(on.made)
