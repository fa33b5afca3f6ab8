"""`--split-outputs`: what a model concatenates last, as outputs of their own."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from export.model.keras.split import split_outputs
from export.model.load import load_model
from export.model.request import ModelRequest
from tests.commands import assert_one_line_error, run_in_process
from train.common.errors import ToolkitError


def weather() -> keras.Model:
    """Pressures of about 1,000 beside a probability, as one output; and a plain output before."""
    sensors = keras.Input((24,), name="sensors")
    hidden = keras.layers.Dense(16, activation="relu")(sensors)
    pressure = keras.layers.Rescaling(90.0, 950.0)(keras.layers.Dense(2)(hidden))
    rain = keras.layers.Dense(1, activation="sigmoid")(hidden)
    plain = keras.layers.Dense(2, name="plain")(hidden)
    joined = keras.layers.Concatenate(name="weather")([pressure, rain])
    return keras.Model(sensors, [plain, joined])


def test_the_parts_stand_in_the_place_of_the_output(tmp_path: Path) -> None:
    model = weather()
    model.save(tmp_path / "model.keras")
    loaded = load_model(ModelRequest(path=str(tmp_path / "model.keras"), split_outputs=True))
    assert [(spec.name, spec.shape) for spec in loaded.outputs] == [
        *(("plain", (None, 2)), ("weather_0", (None, 2)), ("weather_1", (None, 1)))
    ]
    values = np.random.RandomState(0).normal(size=(5, 24)).astype(np.float32)
    plain, joined = model.predict(values, verbose=0)
    found = loaded.predict({"sensors": values}, batch_size=5)
    np.testing.assert_allclose(found["plain"], plain, rtol=1e-5, atol=1e-5)
    both = np.concatenate([found["weather_0"], found["weather_1"]], axis=-1)
    np.testing.assert_allclose(both, joined, rtol=1e-5, atol=1e-5)


def test_an_operator_and_another_axis_than_the_last_are_split_too() -> None:
    x = keras.Input((3, 4), name="x")
    model = keras.Model({"x": x}, keras.ops.concatenate([x * 2, x + 1, x], axis=1))
    split = split_outputs(model, "m.keras")
    assert [output.shape for output in split.outputs] == [(None, 3, 4)] * 3
    assert len(set(split.output_names)) == 3
    values = np.ones((1, 3, 4), np.float32)
    assert [float(np.max(part)) for part in split({"x": values})] == [2, 2, 1]


def _batches(x: Any) -> Any:
    return keras.layers.Concatenate(axis=0)([x, x])


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x: keras.layers.Dense(2, name="last")(x), "its outputs come from last, expected"),
        (_batches, "expected a concatenation as the last layer"),
    ],
)
def test_what_ends_in_no_concatenation_is_refused(build: Any, reason: str) -> None:
    x = keras.Input((4,), name="x")
    with pytest.raises(ToolkitError, match=reason):
        split_outputs(keras.Model(x, build(x)), "m.keras")


def test_what_was_not_built_of_layers_is_refused() -> None:
    with pytest.raises(ToolkitError, match=r"a model of class Sequential, expected"):
        split_outputs(keras.Sequential([keras.layers.Dense(1)]), "m.keras")


@pytest.mark.slow
def test_a_channel_that_one_scale_loses_is_kept_as_an_output_of_its_own(tmp_path: Path) -> None:
    weather().save(tmp_path / "model.keras")
    values = np.random.RandomState(1).normal(size=(300, 24)).astype(np.float32)
    np.save(tmp_path / "train.npy", values[:200])
    np.save(tmp_path / "test.npy", values[200:])
    artifacts = tmp_path / "artifacts"
    command = (
        *("export", "--model", tmp_path / "model.keras", "--artifacts", artifacts),
        *("--calibration", tmp_path / "train.npy", "--format", "tflite-int8"),
        *("--calibration-method", "min-max"),
    )
    whole = run_in_process(*command)
    assert whole.code == 1, whole.out
    assert "output 'weather' loses channel 2" in whole.err
    assert "export --split-outputs" in whole.err
    done = run_in_process(*command, "--split-outputs")
    assert (done.code, done.err) == (0, "")
    manifest = json.loads((artifacts / "tflite-int8.json").read_text())
    assert manifest["options"]["split_outputs"] is True
    outputs = {output["name"]: output for output in manifest["outputs"]}
    assert list(outputs) == ["plain", "weather_0", "weather_1"]
    assert outputs["weather_0"]["scale"] > 1 > 0.01 > outputs["weather_1"]["scale"]
    assert "is up to date" in run_in_process(*command, "--split-outputs").out

    judged = run_in_process(
        *("benchmark", "--quick", "--data", tmp_path / "test.npy", "--artifacts", artifacts)
    )
    assert "weather_1" in judged.out, judged.err
    results = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert {row["verdict"] for row in results} == {"pass"}, judged.out
    bundle = run_in_process(
        *("export", "--bundle", tmp_path / "bundle", "--artifacts", artifacts),
        *("--data", tmp_path / "test.npy"),
    )
    assert bundle.code == 0, bundle.err


def test_a_saved_model_has_no_layers_to_see(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    done = run_in_process(
        *("export", "--model", tmp_path, "--split-outputs", "--format", "tflite"),
        *("--artifacts", tmp_path / "artifacts"),
    )
    assert_one_line_error(done, "got --split-outputs with a SavedModel", "leave the option out")
