"""Operators that TFLite or its quantizer lacks: what replaces them computes the same."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.convert.candidates.trials import convert
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.rewrites import saved_graph
from export.convert.tflite.rewrites.editor import CODES
from export.convert.tflite.rewrites.float_file import REWRITES, rewrite
from export.convert.tflite.rewrites.limits import drop_idle_limits
from export.formats.table import FORMATS
from export.model.loaded import SIGNATURE
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.runtimes.tflm import TFLMRunner
from export.verify.graph.read import read_graph
from tests.export.conftest import load_source, settings_of

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

Function = Callable[[tf.Tensor], tf.Tensor]
SHAPE = (1, 4, 6)
SLOPES = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 1, 6)


def _power(exponent: float) -> Function:
    return lambda x: tf.pow(tf.abs(x) + 0.2, exponent)


def _prelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(x) + -SLOPES * tf.nn.relu(-x)


# By the operator that goes: what the converter makes it of.
IN_FILES: dict[str, tuple[Function, ...]] = {
    "CAST": (lambda x: tf.cast(x > 0.2, tf.float32),),
    "ELU": (tf.nn.elu,),
    "HARD_SWISH": (lambda x: x * tf.nn.relu6(x + 3) * (1 / 6),),
    "MAXIMUM": (lambda x: tf.maximum(x, 0.5) + x, lambda x: tf.maximum(x, x[:, ::-1]) + x),
    "MINIMUM": (
        lambda x: tf.minimum(x, 0.0) * x,
        lambda x: tf.minimum(0.5, x) * x,
        lambda x: tf.minimum(tf.where(x > 0.2, x, 0.0), 0.5) + x,
        lambda x: tf.minimum(tf.transpose(x, (0, 2, 1)), 0.5) + tf.reduce_mean(x),
    ),
    "NEG": (lambda x: tf.abs(-x),),
    "POW": tuple(_power(n) for n in (-2.0, -1.0, 1.5, 2.5, 3.0, 4.0)),
    "PRELU": (lambda x: _prelu(tf.reshape(x, (1, 2, 2, 6))),),
    "SPLIT": (lambda x: tf.split(x, 3, axis=2)[1], lambda x: tf.split(x, 2, axis=-2)[1]),
    "SQUARE": (tf.square,),
    "SQUARED_DIFFERENCE": (lambda x: tf.math.squared_difference(x, x[:, ::-1]),),
    "SUM": (lambda x: tf.reduce_sum(x, 1), lambda x: tf.reduce_sum(x, (-1, 1), keepdims=True)),
}
IN_GRAPHS: dict[str, tuple[tuple[int, ...], Function]] = {
    "AvgPool3D": ((1, 5, 6, 7, 2), lambda x: tf.nn.avg_pool3d(x, (2, 3, 2), (2, 1, 3), "VALID")),
    "MaxPool3D": ((2, 5, 6, 7, 2), lambda x: tf.nn.max_pool3d(x, (2, 3, 2), (2, 1, 3), "SAME")),
    "Conv3D": (
        (2, 5, 6, 7, 2),
        lambda x: tf.nn.conv3d(x, _kernel(3, 2, 2, 2, 4), (1, 2, 1, 2, 1), "SAME"),
    ),
    "Acos": (SHAPE, lambda x: tf.acos(tf.sin(x))),
    "Acosh": (SHAPE, lambda x: tf.acosh(1.01 + tf.abs(x))),
    "Asin": (SHAPE, lambda x: tf.asin(tf.sin(x))),
    "Asinh": (SHAPE, tf.asinh),
    "Atan": (SHAPE, tf.atan),
    "Atanh": (SHAPE, lambda x: tf.atanh(tf.sin(x) * 0.99)),
    "Cosh": (SHAPE, tf.cosh),
    "Selu": (SHAPE, tf.nn.selu),
    "Sinh": (SHAPE, tf.sinh),
    "Softplus": (SHAPE, lambda x: tf.nn.softplus(9 * x)),
    "Tan": (SHAPE, tf.tan),
}


def _kernel(*shape: int) -> tf.Tensor:
    return tf.constant(np.random.RandomState(1).normal(size=shape).astype(np.float32))


def values_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(0).normal(size=shape).astype(np.float32)


def float_file(function: Function) -> bytes:
    traced = tf.function(function).get_concrete_function(tf.TensorSpec(SHAPE))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
    content: bytes = converter.convert()
    return content


def run(content: bytes, values: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    output: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return output


def operators_of(content: bytes) -> set[int]:
    return {known.builtinCode for known in unpack(content).operatorCodes}


@pytest.mark.parametrize("activations", REWRITES)
@pytest.mark.parametrize("name", IN_FILES)
def test_what_replaces_an_operator_of_a_file_computes_the_same(name: str, activations: str) -> None:
    code = getattr(CODES, name)
    if code not in REWRITES[activations]:
        pytest.skip("its quantizer knows the operator")
    for function in IN_FILES[name]:
        content = float_file(function)
        assert code in operators_of(content)
        changed = rewrite(content, activations)
        assert code not in operators_of(changed)
        values = values_of(SHAPE)
        assert np.allclose(run(changed, values), run(content, values), rtol=1e-5, atol=1e-6)


def test_every_rewrite_of_files_is_tested() -> None:
    known = {code for table in REWRITES.values() for code in table}
    assert {getattr(CODES, name) for name in IN_FILES} == known


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.pow(tf.abs(x) + 1, 1.7),
        lambda x: tf.pow(tf.abs(x) + 1, x),
        lambda x: sum(tf.split(x, 3, axis=2)),
        lambda x: tf.maximum(tf.abs(x), 0.5),
        lambda x: tf.maximum(tf.transpose(tf.abs(x), (0, 2, 1)), 0.5),
    ],
)
def test_what_has_no_equal_or_needs_none_stays(function: Function) -> None:
    content = float_file(function)
    assert rewrite(content, "int8") == content


@pytest.mark.parametrize("name", IN_GRAPHS)
def test_what_replaces_an_operator_of_a_saved_model_computes_the_same(
    name: str, tmp_path: Path
) -> None:
    shape, function = IN_GRAPHS[name]
    signature = tf.function(lambda x: {"y": function(x)}, input_signature=[tf.TensorSpec(shape)])
    module = tf.Module()
    tf.saved_model.save(module, str(tmp_path), signatures=signature)
    table = saved_graph.LACKING | saved_graph.INEXACT
    assert saved_graph.contains(tmp_path, {name: table[name]})
    saved_graph.rewrite(tmp_path, table)
    assert not saved_graph.contains(tmp_path, {name: table[name]})
    values = values_of(shape)
    loaded = tf.saved_model.load(str(tmp_path)).signatures[SIGNATURE]
    found = loaded(x=tf.constant(values))["y"].numpy()
    assert np.allclose(found, function(values), rtol=1e-5, atol=2e-6)
    converted = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
    assert np.allclose(run(converted, values), found, rtol=1e-5, atol=1e-5)


def test_every_rewrite_of_graphs_is_tested() -> None:
    assert {*IN_GRAPHS} == {*saved_graph.LACKING, *saved_graph.INEXACT}


def test_limits_that_nothing_reaches_are_dropped_and_others_stay() -> None:
    tree = unpack(float_file(lambda x: tf.minimum(tf.maximum(tf.abs(x), 0.5), 100) * 2))
    tensors = tree.subgraphs[0].tensors
    for operator in tree.subgraphs[0].operators:
        quantization = tensors[operator.outputs[0]].quantization
        quantization.min, quantization.max = [np.float32(0)], [np.float32(9)]
    drop_idle_limits(tree)
    assert operators_of(pack(tree, 1000)) == {CODES.ABS, CODES.MAXIMUM, CODES.MUL}


@pytest.mark.parametrize("negation", [True, False])
def test_a_negation_in_a_gelu_stays_and_any_other_becomes_a_product(
    negation: bool, tmp_path: Path
) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Flatten()(image)
    x = keras.ops.negative(x) if negation else keras.layers.Dense(8, activation="gelu")(x)
    keras.Model(image, keras.layers.Dense(10, name="scores")(x)).save(tmp_path / "model.keras")
    entry, source = FORMATS["tflite-int8"], load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    graph = read_graph(path)
    assert ("MUL" in graph.operators, "GELU" in graph.operators) == (negation, not negation)
    assert not graph.float_operators


@pytest.mark.parametrize("name", ["tflite-int8", "tflite-int16x8"])
def test_integer_files_of_such_networks_are_exact_and_without_float(
    name: str, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    x = layers.Reshape((4, 14, 14, 1))(image)
    x = layers.MaxPooling3D(2)(layers.Conv3D(4, 2, activation="selu")(x))
    x = layers.UnitNormalization()(layers.Flatten()(x))
    x = layers.Dense(24, activation="elu")(x)
    x = layers.GroupNormalization(4)(x)
    x = layers.Dense(24, activation="celu")(x) + keras.ops.square(x)
    x = layers.Dense(10, activation="softplus", name="scores")(x)
    keras.Model(image, x).save(tmp_path / "model.keras")
    entry, source = FORMATS[name], load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    assert not read_graph(path).float_operators
    inputs = source.representative.inputs
    wanted = source.predict(inputs)["scores"]
    with open_runner("litert", path, threads=1) as runner:
        noise = np.mean((predict(runner, inputs)["scores"] - wanted) ** 2)
    limit = {"tflite-int8": 0.02, "tflite-int16x8": 0.002}[name]
    assert noise < limit * wanted.var(axis=0).mean()


def test_weighted_experts_compute_the_same_on_the_reference_kernels(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    layers, ops = keras.layers, keras.ops
    image = keras.Input((28, 28), name="image")
    x = layers.Dense(32, activation="relu")(layers.Flatten()(image))
    gate = ops.expand_dims(layers.Dense(4, activation="softmax")(x), -1)
    x = ops.sum(layers.Reshape((4, 8))(x) * gate, axis=1)
    keras.Model(image, layers.Dense(10, name="scores")(x)).save(tmp_path / "model.keras")
    entry, source = FORMATS["tflite-int8"], load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    inputs = source.representative.inputs
    wanted = source.predict(inputs)["scores"]
    for mode in ("xnnpack", "reference"):
        with open_runner("litert", path, threads=1, mode=mode) as runner:
            noise = np.mean((predict(runner, inputs)["scores"] - wanted) ** 2)
        assert noise < 0.02 * wanted.var(axis=0).mean(), mode


@pytest.mark.parametrize("name", ["hard_swish", "PReLU"])
def test_activations_that_are_taken_apart_are_right_on_microcontrollers_too(
    name: str, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(4)
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    steep = layers.PReLU("ones") if name == "PReLU" else layers.Activation(name)
    x = steep(layers.Dense(24)(layers.Flatten()(image) * 3))
    keras.Model(image, layers.Dense(3, name="scores")(x)).save(tmp_path / "model.keras")
    entry, source = FORMATS["tflite-int16x8"], load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    inputs = {name: values[:20] for name, values in source.representative.inputs.items()}
    with open_runner("litert", path, threads=1) as runner:
        wanted = predict(runner, inputs)["scores"]
        with TFLMRunner(path, like=runner) as other:
            found = predict(other, inputs)["scores"]
    np.testing.assert_allclose(found, wanted, atol=0.002 * np.ptp(wanted))
