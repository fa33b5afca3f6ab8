"""Files that are damaged, or run code when they are loaded or used."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.export.model.conftest import image_model, load
from train.common.errors import ToolkitError

MARK = "ran"


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Path.mkdir, (Path(MARK),)  # type: ignore[return-value]


def refused(path: Path, message: str, **options: Any) -> None:
    """Asserts that loading ends in one short line, and that nothing in the file ran."""
    with pytest.raises(ToolkitError, match=message) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not Path(MARK).exists()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lambda_model(library: Any) -> Any:
    """A model that makes a folder whenever it is called by its library."""
    layer = library.layers.Lambda(lambda x: (__import__("os").makedirs("ran", exist_ok=True), x)[1])
    model = library.Sequential([library.Input((3,)), layer, library.layers.Dense(2)])
    Path(MARK).rmdir()
    return model


def compiled(library: Any) -> Any:
    """A model whose loss and metric are lambdas."""
    model = library.Sequential([library.Input((3,)), library.layers.Dense(2)])
    model.compile(loss=lambda y, p: (y - p) ** 2, metrics=[lambda y, p: y - p])
    return model


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_loss_that_is_code_is_not_loaded(library: Any) -> None:
    model = compiled(library)
    with pytest.warns(UserWarning, match="lambda"):
        model.save("model.keras")
    assert "__lambda__" in zipfile.ZipFile("model.keras").read("config.json").decode()
    assert load(Path("model.keras")).parameters == model.count_params()


def test_a_loss_that_is_code_is_refused_in_a_model_inside_another() -> None:
    inner = compiled(keras)
    outer = keras.Sequential([keras.Input((3,)), inner])
    with pytest.warns(UserWarning, match="lambda"):
        outer.save("model.keras")
    refused(Path("model.keras"), "holds a lambda")


def save_h5(model: Any, path: Path) -> Path:
    if isinstance(model, keras.Model):
        model.save(path)
    else:
        with pytest.warns(UserWarning, match="HDF5"):
            model.save(path)
    return path


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambdas_are_refused_and_allowed_when_asked(library: Any, suffix: str) -> None:
    path = Path(f"model{suffix}")
    model = lambda_model(library)
    if suffix == ".h5":
        save_h5(model, path)
    else:
        model.save(path)
    refused(path, "holds a lambda, and loading it runs code from the file; --unsafe allows that")
    assert load(path, unsafe=True).outputs[0].shape == (None, 2)
    assert Path(MARK).exists()


@pytest.mark.parametrize(
    "damage", ["text", "pickle", "truncated", "other archive", "no weights", "nested too deep"]
)
def test_what_is_no_keras_archive_is_refused(damage: str) -> None:
    path = Path("model.keras")
    image_model(keras).save(path)
    content = path.read_bytes()
    if damage == "other archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")
    elif damage == "nested too deep":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "[" * 100_000)
            archive.writestr("metadata.json", "{}")
    elif damage == "no weights":
        with zipfile.ZipFile("model.keras") as archive:
            texts = {name: archive.read(name) for name in ("config.json", "metadata.json")}
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in texts.items():
                archive.writestr(name, text)
    else:
        damaged = {
            "text": b"hello",
            "pickle": pickle.dumps(Hostile()),
            "truncated": content[:-500],
        }
        path.write_bytes(damaged[damage])
    refused(path, "model.keras is not a Keras model that can be loaded")


def test_damaged_weights_inside_an_archive_are_refused() -> None:
    path = Path("model.keras")
    image_model(keras).save("whole.keras")
    with zipfile.ZipFile("whole.keras") as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content[:2000] if name.endswith(".h5") else content)
    refused(path, "is not a Keras model that can be loaded")


@pytest.mark.parametrize("damage", ["text", "truncated", "weights only", "no weights", "pickle"])
def test_what_is_no_keras_hdf5_file_is_refused(damage: str) -> None:
    path = save_h5(image_model(keras), Path("model.h5"))
    if damage == "weights only":
        path = Path("model.weights.h5")
        image_model(keras).save_weights(path)
        refused(path, "holds no model: it is of another kind, or of weights alone")
        return
    if damage == "no weights":
        with h5py.File(path, "r+") as file:
            del file["model_weights"]["scores"]
    else:
        content = path.read_bytes()
        damaged = {
            "text": b"hello",
            "truncated": content[: len(content) // 2],
            "pickle": pickle.dumps(Hostile()),
        }
        path.write_bytes(damaged[damage])
    refused(path, "is not a Keras model that can be loaded")


@pytest.mark.parametrize("damage", ["text", "truncated", "empty", "no weights", "TensorFlow 1"])
def test_what_is_no_saved_model_is_refused(damage: str) -> None:
    path = Path("model")
    image_model(keras).export(path, verbose=False)
    graph = path / "saved_model.pb"
    if damage == "no weights":
        (path / "variables" / "variables.index").unlink()
    elif damage == "TensorFlow 1":
        with tf.Graph().as_default() as v1:
            x = tf.compat.v1.placeholder(tf.float32, (None, 3), "x")
            y = x * 2.0
            with tf.compat.v1.Session(graph=v1) as session:
                tf.compat.v1.saved_model.simple_save(session, "old", {"x": x}, {"y": y})
        path = Path("old")
    else:
        content = graph.read_bytes()
        graph.write_bytes({"text": b"hello", "truncated": content[:-900], "empty": b""}[damage])
    refused(path, "SavedModel")


class Reaching(tf.Module):
    """A graph that writes a file, from a variable so that it is no constant."""

    def __init__(self, operator: str) -> None:
        super().__init__()
        self.operator = operator
        self.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        if self.operator == "WriteFile":
            tf.io.write_file(MARK, "text")
        elif self.operator == "ReadFile":
            x += tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
        elif self.operator == "EagerPyFunc":
            x = tf.ensure_shape(tf.py_function(lambda v: v, [x], tf.float32), (None, 3))
        elif self.operator == "PrintV2":
            tf.print("text", output_stream=f"file://{MARK}")
        elif self.operator == "SaveV2":
            tf.raw_ops.SaveV2(prefix=MARK, tensor_names=["x"], shape_and_slices=[""], tensors=[x])
        outputs: dict[str, tf.Tensor] = {"y": x * self.scale}
        return outputs


@pytest.mark.parametrize("operator", ["WriteFile", "ReadFile", "EagerPyFunc", "PrintV2", "SaveV2"])
def test_graphs_that_reach_outside_are_refused(operator: str) -> None:
    module = Reaching(operator)
    tf.saved_model.save(module, "model", signatures=module.serve)
    refused(Path("model"), f"holds the operator {operator}, which can run code or reach files")
    assert load("model", unsafe=True).inputs[0].name == "x"


def test_graphs_that_reach_outside_in_a_callee_are_refused() -> None:
    module = Reaching("WriteFile")
    outer = tf.Module()
    outer.inner = module

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs: dict[str, tf.Tensor] = tf.cond(
            tf.reduce_sum(x) > 0, lambda: module.serve(x), lambda: {"y": x}
        )
        return outputs

    tf.saved_model.save(outer, "model", signatures=serve)
    refused(Path("model"), "holds the operator WriteFile")


def test_graphs_without_effects_pass() -> None:
    module = Reaching("none")
    tf.saved_model.save(module, "model", signatures=module.serve)
    assert (
        load("model").predict({"x": np.ones((2, 3))}, batch_size=1)["y"].tolist() == [[2.0] * 3] * 2
    )


def test_operators_of_an_older_file_that_write_are_refused() -> None:
    """tf-keras calls TensorFlow functions that the file names."""
    image = tf_keras.Input((3,))
    scaled = tf.math.multiply(image, 2.0)
    path = save_h5(tf_keras.Model(image, scaled), Path("model.h5"))
    assert load(path).tf_keras_model is not None
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layer = next(x for x in config["config"]["layers"] if x["class_name"] == "TFOpLambda")
        layer["config"]["function"] = "io.write_file"
        file.attrs["model_config"] = json.dumps(config)
    refused(path, "calls TensorFlow's 'io.write_file', expected functions that compute")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(value: float) -> None:
    model = image_model(keras)
    weights = model.get_weights()
    weights[-1][2] = value
    model.set_weights(weights)
    model.save("model.keras")
    model.export("model", verbose=False)
    refused(Path("model.keras"), "weight scores/bias holds NaN or infinity")
    refused(Path("model"), "weight .* holds NaN or infinity")
