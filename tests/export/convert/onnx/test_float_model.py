"""What tf2onnx is kept from, or helped with."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx
from tf2onnx import optimizer

from export.convert.candidates.trials import convert
from export.convert.onnx.float_model import to_onnx
from export.convert.onnx.handlers import HANDLERS
from export.convert.onnx.ordered import InOrder, sets_in_order
from export.convert.onnx.recurrent.choice import Choice
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.conftest import Tiny, load_source, settings_of

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

FLOAT = FORMATS["onnx-float32"]


def test_constants_that_a_layer_captured_are_stored_and_no_inputs(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Normalization(mean=[0.5] * 28, variance=[0.04] * 28)(image)
    x = keras.layers.Dense(10, activation="softmax", name="head")(keras.layers.Flatten()(x))
    keras.Model(image, x).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    model = onnx.load_from_string(convert(FLOAT, settings_of(FLOAT), None, source))
    assert [value.name for value in model.graph.input] == ["image"]
    onnx.checker.check_model(model, full_check=True)
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    assert any(np.allclose(values, 0.5) and values.size == 28 for values in stored)


def test_a_grouped_convolution_which_keras_compiles_is_converted(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Reshape((14, 14, 4))(image)
    x = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(6, 3, groups=2)(x))
    model = keras.Model(image, keras.layers.Dense(10, name="head")(x))
    model.save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(convert(FLOAT, settings_of(FLOAT), None, source))
    images = np.random.RandomState(1).random_sample((3, 28, 28)).astype(np.float32)
    with open_runner("onnxruntime", path, threads=1) as runner:
        outputs = predict(runner, {"image": images})["head"]
    assert np.abs(outputs - model.predict(images, verbose=0)).max() < 1e-5


@pytest.mark.parametrize("function", ["expm1", "log1p", "celu", "gelu"])
def test_functions_that_onnx_lacks_are_made_of_others(function: str, tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    x = getattr(keras.ops, function)(3 * keras.layers.GlobalAveragePooling1D()(image) - 0.9)
    model = keras.Model(image, keras.layers.Identity(name="values")(x))
    model.save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(convert(FLOAT, settings_of(FLOAT), None, source))
    onnx.checker.check_model(path, full_check=True)
    images = np.random.RandomState(1).random_sample((3, 28, 28)).astype(np.float32)
    with open_runner("onnxruntime", path, threads=1) as runner:
        outputs = predict(runner, {"image": images})["values"]
    np.testing.assert_allclose(outputs, model.predict(images, verbose=0), atol=5e-6)


def run_by_onnx(function: Any, x: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Returns the outputs of a function of TensorFlow as ONNX, and the bytes of the model."""
    signature = [tf.TensorSpec((None, *x.shape[1:]), tf.float32, name="x")]
    model, _ = tf2onnx.convert.from_function(
        tf.function(function), input_signature=signature, custom_op_handlers=dict(HANDLERS)
    )
    content = model.SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x}), len(content)


@pytest.mark.parametrize("length", [16, 28, 40, 131, 200, 254, 256])  # 28 are there
def test_a_fourier_transform_is_products_with_waves(length: int) -> None:
    def function(x: tf.Tensor) -> list[tf.Tensor]:
        found = tf.signal.rfft(x, [length])
        return [tf.math.real(found), tf.math.imag(found), tf.abs(found)]

    x = np.random.RandomState(1).random_sample((3, 5, 28)).astype(np.float32)
    outputs, size = run_by_onnx(function, x)
    assert size < 10_000 or length in (131, 254)  # their divisors are too few
    wanted = np.fft.rfft(x, length)
    for found, value in zip(outputs, (wanted.real, wanted.imag, np.abs(wanted)), strict=True):
        np.testing.assert_allclose(found, value, atol=2e-5)


def test_transforms_that_tf2onnx_knows_are_left_to_it() -> None:
    x = np.random.RandomState(1).random_sample((2, 32, 32)).astype(np.float32)
    (found,), _ = run_by_onnx(lambda x: tf.abs(tf.signal.rfft2d(x)), x)
    np.testing.assert_allclose(found, np.abs(np.fft.rfft2(x)), atol=1e-3)


def test_sets_keep_the_order_that_items_came_in() -> None:
    names = [f"{index * 7919 % 100}" for index in range(100)]
    found = InOrder(names)
    found.update(["a"], ["b", names[0]])
    found.discard("50")
    assert list(found) == [name for name in names if name != "50"] + ["a", "b"]
    assert list(found - InOrder(names)) == list(found.intersection(["a", "c", "b"])) == ["a", "b"]
    assert list(InOrder("ab").union("cab")) == ["a", "b", "c"]
    assert InOrder("ab").issubset("abc")
    assert not InOrder("abd").issubset("abc")
    with sets_in_order():
        assert tf2onnx.graph.set is InOrder
    assert not hasattr(tf2onnx.graph, "set")


@pytest.mark.parametrize(("change", "kept"), [(1e-8, True), (1e-2, False)])
def test_what_is_folded_is_kept_if_it_computes_the_same(
    change: float, kept: bool, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fold(model: onnx.ModelProto) -> None:
        stored = onnx.numpy_helper.from_array(np.array(change, np.float32), "change")
        (relu,) = (node for node in model.graph.node if node.op_type == "Relu")
        model.graph.initializer.append(stored)
        model.graph.node.append(onnx.helper.make_node("Add", [relu.input[0], "change"], ["more"]))
        relu.input[0] = "more"

    monkeypatch.setattr("export.convert.onnx.float_model.fold", fold)
    monkeypatch.setattr(tiny.source, "onnx_files", {})
    monkeypatch.setattr(tiny.source, "folder", tmp_path)
    model = to_onnx(settings_of(FLOAT), tiny.source, Choice())
    assert sum(node.op_type == "Add" for node in model.graph.node) == (3 if kept else 2)


def test_no_optimizer_fails(
    tiny: Tiny,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """One that does is left out, and tf2onnx only logs it."""
    monkeypatch.setattr(logging.getLogger("tf2onnx"), "handlers", [caplog.handler])
    monkeypatch.setattr(tiny.source, "onnx_files", {})
    monkeypatch.setattr(tiny.source, "folder", tmp_path)
    to_onnx(settings_of(FLOAT), tiny.source, Choice())
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def test_an_optimizer_that_fails_is_left_out(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_of(FLOAT)
    before = to_onnx(settings, tiny.source, Choice())
    tried = []

    class Failing:
        graph_been_opt = False

        def optimize(self, graph: Any, iteration: int) -> Any:
            tried.append(iteration)
            del graph._nodes[:]
            raise KeyError("edge")

    monkeypatch.setitem(optimizer._optimizers, "loop_optimizer", Failing)
    monkeypatch.setattr(tiny.source, "onnx_files", {})
    monkeypatch.setattr(tiny.source, "folder", tmp_path)
    after = to_onnx(settings, tiny.source, Choice())
    assert len(tried) > 1
    assert [node.op_type for node in after.graph.node] == [
        node.op_type for node in before.graph.node
    ]


def test_onnx_runtime_takes_no_activation_of_a_half_precision_file_apart(tmp_path: Path) -> None:
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    x = layers.Conv2D(4, 3, activation="relu")(layers.Reshape((14, 14, 4))(image))
    x = layers.LeakyReLU()(layers.Conv2D(4, 3)(x))
    x = layers.Dense(10, name="head")(layers.GlobalAveragePooling2D()(x))
    keras.Model(image, x).save(tmp_path / "model.keras")
    entry = FORMATS["onnx-float16"]
    source = load_source(tmp_path / "model.keras", tmp_path)
    content = convert(entry, settings_of(entry), None, source)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3  # that such a file is for this machine
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = {node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node}
    assert "Conv" in found or "FusedConv" in found
    assert not found & {"Max", "Less", "Where"}
    given = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert "GlobalAveragePool" in given
    assert "ReduceMean" not in given
