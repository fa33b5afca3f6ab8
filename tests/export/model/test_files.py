"""A file is what its first bytes say; Keras 2's archives are read as each version wrote them."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from export.model.request import Shape
from tests.export.model.conftest import image_model, load, random_inputs
from tests.export.model.test_unsafe_files import lambda_model, save_h5
from train.common.errors import ArtifactError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

LISTED = "_layer_checkpoint_dependencies"
# Where Keras 2.13.1, 2.14.0 and 2.15.0 wrote the weights of `nested_model`.
PLACES = {
    "2.13.1": {
        "dense": f"{LISTED}/dense",
        "dense_1": f"{LISTED}/dense_2",
        "sequential/dense": f"{LISTED}/sequential/{LISTED}/dense",
        "sequential/dense_1": f"{LISTED}/sequential/{LISTED}/dense_2",
        "bidirectional/forward_layer/cell": f"{LISTED}/bidirectional/forward_layer/cell",
        "bidirectional/backward_layer/cell": f"{LISTED}/bidirectional/backward_layer/cell",
    },
    "2.14.0": {
        "dense": f"{LISTED}/dense",
        "dense_1": f"{LISTED}/dense_1",
        "sequential/dense": f"{LISTED}/sequential/{LISTED}/dense",
        "sequential/dense_1": f"{LISTED}/sequential/{LISTED}/dense_1",
        "bidirectional/forward_layer/cell": f"{LISTED}/bidirectional/forward_layer/cell",
        "bidirectional/backward_layer/cell": f"{LISTED}/bidirectional/backward_layer/cell",
    },
    "2.15.0": {
        "dense": "layers/dense",
        "dense_1": "layers/dense_1",
        "sequential/dense": "layers/sequential/layers/dense",
        "sequential/dense_1": "layers/sequential/layers/dense_1",
        "bidirectional/forward_layer/cell": "layers/bidirectional/forward_layer/cell",
        "bidirectional/backward_layer/cell": "layers/bidirectional/backward_layer/cell",
    },
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("model.h5", "net.keras"),
        ("model.keras", "net.h5"),
        ("model.h5", "a model"),
        *[("m.h5",) * 2],
    ],
)
def test_a_file_is_what_its_first_bytes_say(library: Any, written: str, called: str) -> None:
    model = image_model(library)
    if written.endswith(".h5"):
        save_h5(model, Path(written))
    else:
        model.save(written)
    shutil.move(written, called)
    loaded = load(called)
    assert loaded.path == called
    inputs = random_inputs(loaded, 2)
    (found,) = loaded.predict(inputs, batch_size=2).values()
    assert found == pytest.approx(np.asarray(model(inputs["image"])), abs=1e-6)


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize(("written", "called"), [("x.h5", "x.keras"), ("x.keras", "x.h5")])
def test_code_in_a_file_is_found_whatever_its_name(library: Any, written: str, called: str) -> None:
    model = lambda_model(library)
    if written.endswith(".h5"):
        save_h5(model, Path(written))
    else:
        model.save(written)
    shutil.move(written, called)
    with pytest.raises(ArtifactError, match=f"{called} holds a lambda, and loading it runs code"):
        load(called)
    assert not Path("ran").exists()


def test_layers_that_the_first_call_builds_get_their_weights_whatever_the_name(custom: Any) -> None:
    two, ones = custom.Two(), np.ones((1, 3), np.float32)
    two(ones, right=ones)
    two.save("two.keras")
    shutil.move("two.keras", "two.h5")
    shapes: dict[str, Shape] = {"left": (1, 3), "right": (1, 3)}
    loaded = load("two.h5", shapes, custom_objects="users_networks")
    found = loaded.predict({"left": ones, "right": ones}, batch_size=1)
    assert found["sum"] == pytest.approx(np.asarray(two(ones, right=ones)["sum"]), abs=1e-6)


def nested_model() -> Any:
    """A model of tf-keras with layers of one class, a nested model and a wrapper, (N, 3, 4)."""
    layers = tf_keras.layers
    rows = tf_keras.Input((3, 4))
    x = layers.Dense(4)(rows)
    x = tf_keras.Sequential([tf_keras.Input((3, 4)), layers.Dense(4), layers.Dense(4)])(x)
    x = layers.Bidirectional(layers.GRU(2, return_sequences=True))(x)
    model = tf_keras.Model(rows, layers.Dense(4)(x))
    random = np.random.RandomState(2)
    model.set_weights([random.normal(size=value.shape) for value in model.get_weights()])
    return model


def as_written_by(version: str, places: dict[str, str], separator: str, path: Path) -> None:
    """Rewrites an archive of tf-keras: its version, and where its weights are."""
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
        archive.extract("model.weights.h5")
    with h5py.File("model.weights.h5") as now, h5py.File("moved.h5", "w") as moved:
        moved.create_group("vars")
        for name, place in places.items():
            group = now["layers/" + name.replace("sequential/", "sequential/layers/")]
            now.copy(group, moved, place.replace("/", separator))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.write("moved.h5", "model.weights.h5")


@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("version", PLACES)
def test_weights_are_found_where_each_keras_2_wrote_them(version: str, separator: str) -> None:
    model, path = nested_model(), Path("model.keras")
    model.save(path)
    as_written_by(version, PLACES[version], separator, path)
    loaded = load(path)
    inputs = random_inputs(loaded, 2)
    (found,) = loaded.predict(inputs, batch_size=2).values()
    assert found == pytest.approx(model(inputs[loaded.inputs[0].name]).numpy(), abs=1e-6)


def test_a_layout_that_is_not_known_is_told() -> None:
    path = Path("model.keras")
    nested_model().save(path)
    moved = {name: f"mine/{name}" for name in PLACES["2.15.0"]}
    as_written_by("2.15.0", moved, "\\", path)
    told = r"14 weights are called mine\\bid.*no layout of Keras 2.15.0 on Windows; .* as \.h5"
    with pytest.raises(ArtifactError, match=told):
        load(path)
