"""Sequential, functional and subclassed models, and what they take and return."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from export.model.request import Shape
from export.model.signature import open_dimensions
from tests.export.model.conftest import assert_converts, load, random_inputs
from train.common.errors import ArtifactError, ToolkitError
from train.common.tensors import TensorSpec

CUSTOM = """
import keras
import tensorflow as tf
import tf_keras


class OlderScale(tf_keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(2,))

    def call(self, x):
        return x * self.factor


def double(x):
    return 2 * x


class One(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.hidden = keras.layers.Dense(4)
        self.final = keras.layers.Dense(2)

    def call(self, features):
        return self.final(self.hidden(features))


class Two(One):
    def call(self, left, right=None, training=False):
        return {"sum": self.final(self.hidden(left) + self.hidden(right)), "left": left}


class Nested(One):
    def call(self, inputs):
        return [self.final(self.hidden(inputs["u"])), self.hidden(inputs["v"][0])]


class Looked(One):
    def call(self, index):
        return self.final(self.hidden(tf.one_hot(index, 5)))


@keras.saving.register_keras_serializable("mine")
class Registered(keras.layers.Layer):
    def call(self, x):
        return x + 1


def make():
    model = One()
    model(tf.zeros((2, 3)))
    return model


def make_unbuilt():
    return One()


def make_sequential():
    return keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2, name="last")])


def make_nothing():
    return 3


def make_error():
    raise KeyError("first\\nsecond")


def make_exit():
    raise SystemExit("usage")


def make_older():
    class Older(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.final = tf_keras.layers.Dense(2)

        def call(self, pair):
            return self.final(pair["a"]) + pair["b"]

    model = Older()
    model({"a": tf.zeros((2, 3)), "b": tf.zeros((2, 2))})
    return model
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def custom(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A user's module, imported; it stays known to Python under its name."""
    folder = tmp_path_factory.mktemp("custom")
    (folder / "users_networks.py").write_text(CUSTOM)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import users_networks  # type: ignore[import-not-found]

        yield users_networks


def shapes_of(specs: tuple[TensorSpec, ...]) -> dict[str, Shape]:
    return {spec.name: spec.shape for spec in specs}


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_sequential_models_load(library: Any) -> None:
    layers = [library.layers.Dense(3), library.layers.Dense(2, name="last")]
    library.Sequential([library.Input((5,), name="row"), *layers]).save("model.keras")
    model = load("model.keras")
    assert shapes_of(model.inputs) == {"row": (None, 5)}
    assert shapes_of(model.outputs) == {"last": (None, 2)}
    assert model.parameters == 5 * 3 + 3 + 3 * 2 + 2
    assert {value.size for _, value in model.weights()} == {15, 3, 6, 2}


def test_the_batch_of_a_first_call_does_not_bind() -> None:
    built = keras.Sequential([keras.layers.Dense(3)])
    built(np.ones((7, 2), np.float32))
    built.save("model.keras")
    model = load("model.keras")
    assert model.fixed_batch is None
    assert model.inputs[0].shape == (None, 2)
    assert_converts(model, Path("saved"))


def test_unpacked_archives_load() -> None:
    row = keras.Input((5,), name="row")
    original = keras.Model(row, keras.layers.Dense(2)(row))
    keras.saving.save_model(original, "folder", zipped=False)
    model = load("folder")
    assert [value.tolist() for _, value in model.weights()] == [
        value.tolist() for value in original.get_weights()
    ]


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("sequential", [True, False])
def test_token_numbers_are_integers(library: Any, sequential: bool) -> None:
    """Without a cast to float32 and back."""
    tokens = library.Input((6,), name="tokens")
    pooling = library.layers.GlobalAveragePooling1D()
    layers = [library.layers.Embedding(5, 4, mask_zero=True), pooling]
    if sequential:
        library.Sequential([tokens, *layers]).save("model.keras")
    else:
        library.Model(tokens, layers[1](layers[0](tokens))).save("model.keras")
    model = load("model.keras")
    assert [(s.name, s.dtype) for s in model.inputs] == [("tokens", "int32")]
    inputs = random_inputs(model, 3)
    original = library.models.load_model("model.keras")
    (found,) = model.predict(inputs, batch_size=2).values()
    assert found == pytest.approx(np.asarray(original(inputs["tokens"])), abs=1e-6)
    casts = [op for op in model._function.graph.get_operations() if op.type == "Cast"]
    assert [op.name for op in casts if op.inputs[0].dtype.is_integer] == []


def test_an_input_that_is_also_a_number_stays_one() -> None:
    tokens = keras.Input((6,), name="tokens")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(5, 4)(tokens))
    both = keras.layers.Concatenate()([embedded, tokens])
    keras.Model(tokens, keras.layers.Dense(1)(both)).save("model.keras")
    assert load("model.keras").inputs[0].dtype == "float32"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_comes_out_as_float32(policy: str) -> None:
    row = keras.Input((5,), name="row")
    keras.Model(row, keras.layers.Dense(2, dtype=policy)(row)).save("model.keras")
    model = load("model.keras")
    assert [spec.dtype for spec in (*model.inputs, *model.outputs)] == ["float32", "float32"]
    (found,) = model.predict({"row": np.ones((3, 5))}, batch_size=2).values()
    assert found.dtype == np.float32
    model.keras_model.export("half", verbose=False)  # type: ignore[union-attr]
    assert [spec.dtype for spec in load("half").outputs] == ["float32"]


def test_structures_are_named_by_their_keys() -> None:
    inputs = {"b": keras.Input((2,), name="b"), "a": keras.Input((3,), name="a")}
    outputs = {"sum": keras.layers.Dense(2)(inputs["a"]) + inputs["b"], "a": inputs["a"] * 2}
    keras.Model(inputs, outputs).save("model.keras")
    model = load("model.keras")
    assert shapes_of(model.inputs) == {"a": (None, 3), "b": (None, 2)}
    assert shapes_of(model.outputs) == {"a_1": (None, 3), "sum": (None, 2)}
    found = model.predict({"a": np.ones((4, 3)), "b": np.ones((4, 2))}, batch_size=3)
    assert found["a_1"].tolist() == [[2.0] * 3] * 4
    assert_converts(model, Path("saved"))


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_stateful_layers_start_anew(library: Any) -> None:
    rows = library.Input(batch_shape=(2, 3, 4), name="rows")
    library.Model(rows, library.layers.LSTM(5, stateful=True)(rows)).save("model.keras")
    model = load("model.keras")
    assert model.fixed_batch == 2
    assert model.inputs[0].shape == (None, 3, 4)
    inputs = random_inputs(model, 5)
    (first,) = model.predict(inputs, batch_size=1).values()
    (again,) = model.predict(inputs, batch_size=1).values()
    assert first.shape == (5, 5)
    assert np.array_equal(first, again)


def test_open_sizes_are_told_and_fixed() -> None:
    image = keras.Input((None, None, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image))
    keras.Model(image, pooled).save("model.keras")
    assert open_dimensions(load("model.keras").inputs) == (
        "input 'image' is (?, ?, ?, 3); fix it with --shape image=1,224,224,3"
    )
    model = load("model.keras", {"image": (1, 8, 8, 3)})
    assert model.inputs[0].shape == (None, 8, 8, 3)
    assert open_dimensions(model.inputs) is None
    assert_converts(model, Path("saved"))
    with pytest.raises(ToolkitError, match="expected only open sizes to differ"):
        load("model.keras", {"image": (1, 8, 8, 1)})
    model.keras_model.export("open", verbose=False)  # type: ignore[union-attr]
    assert load("open", {"image": (1, 8, 8, 3)}).inputs[0].shape == (None, 8, 8, 3)


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
        ("users_networks:make_exit", "fails with SystemExit: usage"),
        ("no_such_package.module:make", "no_such_package.* fails with ModuleNotFoundError"),
    ],
)
def test_what_fails_in_the_users_code_is_one_line(custom: Any, path: str, message: str) -> None:
    with pytest.raises(ToolkitError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_modules_are_found_in_the_current_folder() -> None:
    Path("networks_here.py").write_text(CUSTOM)
    assert load("networks_here:make").outputs[0].shape == (None, 2)
    custom_model = "not a module"
    with pytest.raises(ToolkitError, match="expected a module's name"):
        load("networks_here:make", custom_objects=custom_model)
