"""Stateful layers: states are inputs and outputs, and a stream that hands them on is Keras's."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.candidates.trials import convert
from export.convert.job.job import CustomJob
from export.convert.source import SourceModel
from export.formats.settings import ExportOptions, resolve
from export.formats.table import FORMATS
from export.model.keras.call import open_keras
from export.model.request import ModelRequest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.convert.tflite.recurrent.layers import decibels
from train.common.errors import ToolkitError
from train.common.preprocessing import Preprocessing

pytestmark = pytest.mark.slow  # it converts with TensorFlow

BATCH, CALLS, STEPS, FEATURES, UNITS = 2, 60, 9, 4, 5
Built = tuple[Any, list[Any]]  # a model, and its layers that keep states
Step = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def _both_ways(library: Any) -> Built:
    layers = library.layers
    x = library.Input(batch_shape=(BATCH, STEPS, FEATURES), name="x")
    both = layers.Bidirectional(
        layers.GRU(UNITS, stateful=True, return_sequences=True), merge_mode="sum", name="both"
    )
    last = layers.LSTM(UNITS, stateful=True, name="last")
    model = library.Model(x, layers.Dense(3, name="head")(last(both(x))))
    return model, [both.forward_layer, both.backward_layer, last]


def _film(library: Any) -> Built:
    layers = library.layers
    x = library.Input(batch_shape=(BATCH, STEPS, FEATURES, 2), name="x")
    film = layers.ConvLSTM1D(3, 2, stateful=True, name="film")
    return library.Model(x, layers.Dense(3, name="head")(layers.Flatten()(film(x)))), [film]


def _sources(model: Any, x: np.ndarray, states: Mapping[str, Any], folder: Path) -> SourceModel:
    inputs = {"x": x.reshape(-1, *x.shape[2:]), **states}
    return SourceModel(
        open_keras(model, ModelRequest(path="model"), lambda operators: None),
        representative=RepresentativeDataset(inputs=inputs, sha256="", examples=()),
        training=None,
        folder=folder,
    )


def _stream(step: Step, x: np.ndarray, shapes: Mapping[str, Any]) -> tuple[np.ndarray, Any]:
    """Returns what a stream answers, and the states before each call."""
    states = {name: np.zeros((BATCH, *shape), np.float32) for name, shape in shapes.items()}
    answers, before = [], []
    for each in x:
        before.append(states)
        found = step({"x": each, **states})
        answers.append(found["head"])
        states = {name: found[f"{name}_next"] for name in shapes}
    seen = {name: np.concatenate([each[name] for each in before]) for name in shapes}
    return np.concatenate(answers), seen


@pytest.mark.parametrize(
    ("library", "build", "least"),
    [
        (keras, _both_ways, {"tflite-float32": 100, "onnx-float32": 100}),
        (tf_keras, _both_ways, {"tflite-int8": 25}),
        (keras, _film, {"onnx-dynamic": 25}),
    ],
)
def test_a_stream_is_what_keras_answers_call_after_call(
    library: Any, build: Callable[[Any], Built], least: Mapping[str, float], tmp_path: Path
) -> None:
    model, remembering = build(library)
    draw = np.random.default_rng(3)
    model.set_weights(
        [draw.normal(size=each.shape) / np.sqrt(max(each.shape)) for each in model.get_weights()]
    )
    x = draw.normal(size=(CALLS, BATCH, *model.inputs[0].shape[1:])).astype(np.float32)
    for layer in remembering:
        layer.reset_states()
    expected = np.concatenate([np.asarray(model(each)) for each in x])
    plain = _sources(model, x, {}, tmp_path)
    specs = plain.model.inputs[1:]
    assert [spec.name for spec in specs] == [
        output.name.removesuffix("_next") for output in plain.model.outputs[1:]
    ]
    shapes = {spec.name: spec.shape[1:] for spec in specs}
    answers, states = _stream(lambda given: plain.model.predict(given, BATCH), x, shapes)
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    source = _sources(model, x, states, tmp_path)
    for name, decibels_least in least.items():
        entry = FORMATS[name]
        settings = resolve([entry], ExportOptions(), BATCH)[name]
        path = tmp_path / f"file{entry.suffix}"
        method = "min-max" if entry.calibrated else None
        path.write_bytes(convert(entry, settings, method, source))
        with open_runner(entry.runtime, path, threads=1) as runner:
            answers, _ = _stream(lambda given: predict(runner, given), x, shapes)
        assert decibels(answers, expected) > decibels_least, name


def test_keras_itself_is_as_stateful_afterwards_as_before() -> None:
    model, _ = _both_ways(keras)
    x = np.ones((BATCH, STEPS, FEATURES), np.float32)
    first, second = (np.asarray(model(x)) for _ in range(2))
    open_keras(model, ModelRequest(path="model"), lambda operators: None)
    assert np.abs(second - first).max() > 1e-4
    assert np.abs(np.asarray(model(x)) - second).max() > 1e-4


def test_a_layer_that_was_never_called_has_no_states_to_hand_on() -> None:
    class Late(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.memory = keras.layers.LSTM(2, stateful=True, name="memory")

        def call(self, x: Any) -> Any:
            return self.memory(x)

    request = ModelRequest(path="late", shapes={"x": (1, 3, 4)})
    with pytest.raises(ToolkitError, match="'memory' is stateful and has no states yet, expected"):
        open_keras(Late(), request, lambda operators: None)


def test_states_are_not_preprocessed_as_raw_values_are(tmp_path: Path) -> None:
    model, _ = _both_ways(keras)
    model.save(tmp_path / "model.keras")
    request = ModelRequest(path=str(tmp_path / "model.keras"))
    loaded = open_keras(model, request, lambda operators: None)
    how = Preprocessing(scale=0.5, offset=0.0)
    job = CustomJob(artifacts=tmp_path, request=request, preprocess={"": how})
    found = job.conversion_inputs(loaded.inputs, loaded.outputs, tmp_path)
    assert set(found.preprocessing) == {"x"}
