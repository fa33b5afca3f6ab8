"""`--extract-preprocessing`: what scales inputs first is left to whoever feeds the model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from export.model.keras.extract import extract_preprocessing
from export.model.keras.split import split_outputs
from export.model.load import load_model
from export.model.request import ModelRequest
from tests.commands import assert_one_line_error, run_in_process
from train.common.errors import ToolkitError
from train.common.preprocessing import preprocess

UNITS = np.array([900.0, 3.0, 0.01], np.float32)
MIDDLE = np.array([101_325.0, 15.0, 0.2], np.float32)


def raw(count: int, seed: int) -> np.ndarray:
    values: np.ndarray = np.random.RandomState(seed).normal(size=(count, 3)).astype(np.float32)
    return values * UNITS + MIDDLE


def station() -> keras.Model:
    """Sensors in units of their own, and a token that nothing scales."""
    sensors, kind = keras.Input((3,), name="sensors"), keras.Input((1,), name="kind", dtype="int32")
    x = layers.Rescaling(0.5, 1.0)(sensors)
    x = layers.Normalization(mean=0.5 * MIDDLE + 1, variance=(0.5 * UNITS) ** 2)(x)
    x = layers.Concatenate()([x, layers.Flatten()(layers.Embedding(4, 2)(kind))])
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    outputs = {"rain": layers.Dense(1, name="rain")(x), "wind": layers.Dense(2, name="wind")(x)}
    return keras.Model({"sensors": sensors, "kind": kind}, outputs)


def test_the_layers_before_the_first_other_one_become_preprocessing(tmp_path: Path) -> None:
    model = station()
    model.save(tmp_path / "model.keras")
    request = ModelRequest(path=str(tmp_path / "model.keras"), extract_preprocessing=True)
    loaded = load_model(request)
    assert {spec.name: spec.dtype for spec in loaded.inputs} == {
        "sensors": "float32",
        "kind": "int32",
    }
    assert loaded.extracted.keys() == {"sensors"}
    how = loaded.extracted["sensors"]
    np.testing.assert_allclose(how.scale, 1 / UNITS, rtol=1e-5)
    np.testing.assert_allclose(how.offset, -MIDDLE / UNITS, rtol=1e-4)
    values = {"sensors": raw(9, 0), "kind": np.arange(9, dtype=np.int32)[:, None] % 4}
    wanted = model.predict(values, verbose=0)
    found = loaded.predict(preprocess(values, loaded.extracted, loaded.inputs), batch_size=9)
    assert found.keys() == {"rain", "wind"}
    for name, exact in wanted.items():
        np.testing.assert_allclose(found[name], exact, rtol=1e-3, atol=1e-3)
    # each layer is called once, so that what it makes can be asked for
    assert loaded.keras_model is not None
    assert loaded.keras_model.get_layer("hidden").output.shape == (None, 16)


@pytest.mark.parametrize(
    ("layer", "scale", "offset"),
    [
        (lambda: layers.Rescaling([2.0, 3.0, 4.0], -1.0), (2, 3, 4), -1),
        (lambda: layers.Normalization(axis=None, mean=3.0, variance=4.0), 0.5, -1.5),
        (lambda: layers.Normalization(mean=[1.0] * 3, variance=[4.0] * 3, invert=True), 2, 1),
    ],
)
def test_every_kind_of_scaling_in_a_sequential_model(
    layer: Callable[[], Any], scale: Any, offset: Any
) -> None:
    model = keras.Sequential([keras.Input((3,), name="x"), layer(), layers.Dense(2)])
    values = np.random.RandomState(0).normal(size=(4, 3)).astype(np.float32)
    wanted = np.asarray(model(values))
    shorter, found = extract_preprocessing(model, "m.keras")
    np.testing.assert_allclose(np.broadcast_to(found["x"].scale, 3), np.broadcast_to(scale, 3))
    np.testing.assert_allclose(np.broadcast_to(found["x"].offset, 3), np.broadcast_to(offset, 3))
    np.testing.assert_allclose(
        np.asarray(shorter(found["x"].apply(values))), wanted, rtol=1e-5, atol=1e-5
    )


def test_pictures_of_bytes_are_fed_as_real_numbers() -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 1), dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten()]
    )
    shorter, found = extract_preprocessing(model, "m.keras")
    assert shorter.inputs[0].dtype == "float32"
    assert [how.scale for how in found.values()] == [1 / 255]


def test_outputs_can_be_split_as_well() -> None:
    x = keras.Input((3,), name="x")
    scaled = layers.Rescaling(2.0)(x)
    parts = [layers.Dense(1)(scaled), layers.Dense(1)(scaled)]
    model = keras.Model(x, layers.Concatenate(name="both")(parts))
    split = split_outputs(extract_preprocessing(model, "m.keras")[0], "m.keras")
    assert tuple(split.output_names) == ("both_0", "both_1")


def _read_twice(x: Any) -> Any:
    return layers.Concatenate()([layers.Rescaling(2.0)(x), x])


def _by_place(x: Any) -> Any:
    shape = (5, 3)
    return layers.Normalization(axis=(1, 2), mean=np.zeros(shape), variance=np.ones(shape))(x)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (
            lambda x: layers.Dense(2, name="first")(x),
            "its inputs are read first by first, expected",
        ),
        (_read_twice, "which nothing else reads the input beside"),
        (_by_place, r"has numbers of shape \(1, 5, 3\), expected one number"),
    ],
)
def test_what_begins_with_something_else_is_refused(build: Any, reason: str) -> None:
    x = keras.Input((5, 3), name="x")
    with pytest.raises(ToolkitError, match=reason):
        extract_preprocessing(keras.Model(x, build(x)), "m.keras")


def test_what_was_not_built_of_layers_is_refused() -> None:
    class Own(keras.Model):
        pass

    with pytest.raises(ToolkitError, match=r"a model of class Own, expected"):
        extract_preprocessing(Own(), "m.keras")


def test_it_is_not_embedded_as_well(tmp_path: Path) -> None:
    done = run_in_process(
        *("export", "--model", tmp_path / "m.keras", "--format", "tflite", "--scale", "1/255"),
        *("--extract-preprocessing", "--embed-preprocessing", "--artifacts", tmp_path / "a"),
    )
    assert_one_line_error(done, "got --embed-preprocessing and --extract-preprocessing")


@pytest.mark.slow
def test_features_of_unlike_units_pass_in_integers(tmp_path: Path) -> None:
    x = keras.Input((3,), name="sensors")
    scaled = layers.Normalization(mean=MIDDLE, variance=UNITS**2)(x)
    hidden = layers.Dense(16, activation="relu")(scaled)
    keras.Model(x, layers.Dense(2, name="y")(hidden)).save(tmp_path / "model.keras")
    np.save(tmp_path / "train.npy", raw(300, 1))
    np.save(tmp_path / "test.npy", raw(100, 2))
    artifacts = tmp_path / "artifacts"
    command = (
        *("export", "--model", tmp_path / "model.keras", "--artifacts", artifacts),
        *("--calibration", tmp_path / "train.npy", "--format", "tflite-int8"),
        *("--calibration-method", "min-max"),
    )
    whole = run_in_process(*command)
    assert whole.code == 1, whole.out
    assert "where its own layers do it, --extract-preprocessing" in whole.err
    done = run_in_process(*command, "--extract-preprocessing")
    assert (done.code, done.err) == (0, "")
    manifest = json.loads((artifacts / "tflite-int8.json").read_text())
    assert manifest["options"]["extract_preprocessing"] is True
    np.testing.assert_allclose(manifest["preprocessing"]["sensors"]["scale"], 1 / UNITS, rtol=1e-5)
    again = run_in_process(*command, "--extract-preprocessing")
    assert "is up to date" in again.out
    record = json.loads((artifacts / "model.json").read_text())
    for name, scale in (("other", 1.0), ("sensors", [1.0, 2.0])):
        edited = {**record, "extracted": {name: {"scale": scale, "offset": 0.0}}}
        (artifacts / "model.json").write_text(json.dumps(edited))
        assert run_in_process(*command, "--extract-preprocessing").code == 0
        assert json.loads((artifacts / "model.json").read_text()) == record
    judged = run_in_process(
        *("benchmark", "--quick", "--data", tmp_path / "test.npy", "--artifacts", artifacts)
    )
    results = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [row["verdict"] for row in results] == ["pass"], judged.out
