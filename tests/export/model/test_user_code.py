"""Subclassed models, layers and functions of the user's own modules."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from export.model.request import Shape
from tests.export.model.conftest import CUSTOM, assert_converts, load, random_inputs, shapes_of
from train.common.errors import ArtifactError, ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_subclassed_models_remember_their_input(custom: Any) -> None:
    original = custom.make()
    original.save("model.keras")
    with pytest.raises(ArtifactError, match=r"uses One, which is not of Keras; .*--custom-objects"):
        load("model.keras")
    model = load("model.keras", custom_objects="users_networks")
    assert shapes_of(model.inputs) == {"features": (None, 3)}
    assert shapes_of(model.outputs) == {"output": (None, 2)}
    inputs = random_inputs(model, 3)
    found = model.predict(inputs, batch_size=2)["output"]
    assert found == pytest.approx(np.asarray(original(inputs["features"])), abs=1e-6)
    assert_converts(model, Path("saved"))
    other = load("model.keras", {"x": (1, 3)}, custom_objects="users_networks")
    assert shapes_of(other.inputs) == {"x": (None, 3)}


def test_subclassed_models_with_structures(custom: Any) -> None:
    ones = np.ones((2, 3), np.float32)
    nested = custom.Nested()
    nested({"u": ones, "v": [ones]})
    nested.save("nested.keras")
    model = load("nested.keras", custom_objects="users_networks")
    assert shapes_of(model.inputs) == {"u": (None, 3), "v_0": (None, 3)}
    assert shapes_of(model.outputs) == {"output_0": (None, 2), "output_1": (None, 4)}
    assert_converts(model, Path("saved"))


def test_subclassed_models_with_several_arguments(custom: Any) -> None:
    ones = np.ones((2, 3), np.float32)
    two = custom.Two()
    two(ones, right=ones)
    two.save("two.keras")
    shapes: dict[str, Shape] = {"left": (1, 3), "right": (1, 3)}
    with pytest.raises(ToolkitError, match=r"fails on inputs left .*; give the inputs it takes"):
        load("two.keras", custom_objects="users_networks")
    model = load("two.keras", shapes, custom_objects="users_networks")
    assert shapes_of(model.outputs) == {"left_1": (None, 3), "sum": (None, 2)}
    found = model.predict({"left": ones, "right": ones}, batch_size=1)
    assert found["sum"] == pytest.approx(np.asarray(two(ones, right=ones)["sum"]), abs=1e-6)


def test_subclassed_models_that_look_up_take_integers(custom: Any) -> None:
    looked = custom.Looked()
    looked(np.ones((2, 3), np.int32))
    looked.save("model.keras")
    model = load("model.keras", custom_objects="users_networks")
    assert [spec.dtype for spec in model.inputs] == ["int32"]


def test_models_that_were_never_built(custom: Any) -> None:
    with pytest.warns(UserWarning, match="not yet been built"):
        custom.One().save("unbuilt.keras")
    with pytest.raises(ToolkitError, match=r"does not say what shape .*--shape features=1,…"):
        load("unbuilt.keras", custom_objects="users_networks")
    with pytest.raises(ArtifactError, match="lacks weights of the model"):
        load("unbuilt.keras", {"features": (1, 3)}, custom_objects="users_networks")


def test_weights_of_layers_built_by_the_first_call_are_loaded(custom: Any) -> None:
    original = custom.make()
    original.save("whole.keras")
    with (
        zipfile.ZipFile("whole.keras") as whole,
        zipfile.ZipFile("model.keras", "w") as archive,
    ):
        for name in whole.namelist():
            content = whole.read(name)
            if name == "config.json":
                content = content.replace(b'"build_config"', b'"forgotten"')
            archive.writestr(name, content)
    model = load("model.keras", {"features": (1, 3)}, custom_objects="users_networks")
    found = model.predict({"features": np.ones((1, 3))}, batch_size=1)["output"]
    assert found == pytest.approx(np.asarray(original(np.ones((1, 3)))), abs=1e-6)


def test_named_functions_and_registered_layers_are_taken_from_the_module(custom: Any) -> None:
    row = keras.Input((3,), name="row")
    x = custom.Registered()(keras.layers.Lambda(custom.double)(row))
    keras.Model(row, x).save("model.keras")
    (found,) = (
        load("model.keras", custom_objects="users_networks")
        .predict({"row": np.ones((1, 3))}, batch_size=1)
        .values()
    )
    assert found.tolist() == [[3.0] * 3]
    with pytest.raises(ArtifactError, match="uses double, which is not of Keras"):
        load("model.keras")


def test_older_files_take_layers_from_the_module(custom: Any) -> None:
    image = tf_keras.Input((5, 5, 2), name="image")
    x = custom.OlderScale()(tf_keras.layers.DepthwiseConv2D(3)(image))
    for suffix in ("keras", "h5"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*HDF5")
            tf_keras.Model(image, x).save(f"model.{suffix}")
        model = load(f"model.{suffix}", custom_objects="users_networks")
        assert model.tf_keras_model is not None
        assert [name for name, _ in model.weights()][-1].endswith("factor")
        with pytest.raises(ArtifactError, match="--custom-objects"):
            load(f"model.{suffix}")


def test_callables_return_models(custom: Any) -> None:
    assert load("users_networks:make").inputs[0].name == "features"
    with pytest.raises(ToolkitError, match="does not say what shape"):
        load("users_networks:make_unbuilt")
    given = load("users_networks:make_unbuilt", {"features": (1, 7)})
    assert given.parameters == 7 * 4 + 4 + 4 * 2 + 2
    sequential = load("users_networks:make_sequential", {"inputs": (1, 7)})
    assert shapes_of(sequential.outputs) == {"last": (None, 2)}
    assert_converts(sequential, Path("sequential"))
    older = load("users_networks:make_older")
    assert older.tf_keras_model is not None
    assert shapes_of(older.inputs) == {"a": (None, 3), "b": (None, 2)}
    assert_converts(older, Path("saved"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("users_networks:gone", "has no function gone"),
        ("users_networks:make_nothing", "returns int, expected a Keras model"),
        ("users_networks:make_error", "fails with KeyError: "),
        ("users_networks:make_odd", "make_odd cannot be loaded: it lacks 'shape'"),
        ("users_networks:make_exit", "fails with SystemExit: usage"),
        ("no_such_package.module:make", "no_such_package.* fails with ModuleNotFoundError"),
    ],
)
def test_what_fails_in_the_users_code_is_one_line(custom: Any, path: str, message: str) -> None:
    with pytest.raises(ToolkitError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_modules_are_found_in_the_current_folder() -> None:
    Path("networks_here.py").write_text(CUSTOM, encoding="utf-8")
    assert load("networks_here:make").outputs[0].shape == (None, 2)
    custom_model = "not a module"
    with pytest.raises(ToolkitError, match="expected a module's name"):
        load("networks_here:make", custom_objects=custom_model)
