"""How weights of 8 bits are stored, and what of it a processor's overflow changes."""

import platform
from collections import Counter
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from export.convert.candidates.float_size import larger_than_float32
from export.convert.candidates.trials import convert
from export.convert.onnx.overflow import overflows_here, unsigned_twin
from export.convert.source import SourceModel
from export.formats.settings import SAFE_WEIGHTS, SIGNED_WEIGHTS, WEIGHT_SCHEMES
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph.read import read_graph
from export.verify.size import parts_in_float
from tests.export.conftest import Tiny, load_source, settings_of
from train.common.environment import DOT_PRODUCTS, read_environment

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

METHODS = {"onnx-int8": "min-max", "onnx-dynamic": None}
NAMES = pytest.mark.parametrize("name", list(METHODS))


def stored(name: str, scheme: str, tiny: Tiny) -> bytes:
    entry = FORMATS[name]
    settings = replace(settings_of(entry), weight_schemes=(scheme,))
    return convert(entry, settings, METHODS[name], tiny.source)


def outputs(content: bytes, tiny: Tiny, folder: Path, mode: str) -> np.ndarray:
    path = folder / "model.onnx"
    path.write_bytes(content)
    with open_runner("onnxruntime", path, threads=1, mode=mode) as runner:
        return predict(runner, tiny.expected.inputs)["probabilities"]


@NAMES
@pytest.mark.parametrize("scheme", WEIGHT_SCHEMES["this"])
def test_weights_are_stored_as_the_scheme_says(name: str, scheme: str, tiny: Tiny) -> None:
    model = onnx.load_from_string(stored(name, scheme, tiny))
    found = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    kernels = {n: v for n, v in found.items() if n.endswith("_quantized") and v.ndim == 2}
    assert sorted(v.shape for v in kernels.values()) == [(16, 10), (784, 16)]
    for kernel, values in kernels.items():
        scale = found[kernel.replace("_quantized", "_scale")]
        assert scale.size == (values.shape[1] if scheme.endswith("per channel") else 1)
        assert values.dtype == (np.uint8 if scheme.startswith("uint8") else np.int8)
        most = {"7-bit": 64, "int8": 127}.get(scheme.partition(" ")[0], 255)
        assert most - 1 <= np.abs(values.astype(int)).max() <= most


@pytest.fixture(scope="module")
def normalized(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    """Dense, BatchNormalization, Dense, the most usual network for tables, and a convolution."""
    folder = tmp_path_factory.mktemp("normalized")
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Reshape((28, 28, 1))(image)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    x = keras.layers.Flatten()(keras.layers.BatchNormalization()(x))
    for units in (16, 12):
        x = keras.layers.Dense(units, activation="relu")(x)
        x = keras.layers.BatchNormalization()(x)
    model = keras.Model(image, keras.layers.Dense(10, name="head")(x))
    for variable in model.weights:
        if "batch_normalization" in variable.path:
            variable.assign(np.random.RandomState(2).uniform(0.5, 2, variable.shape))
    model.save(folder / "model.keras")
    return load_source(folder / "model.keras", folder)


@NAMES
@pytest.mark.parametrize("scheme", WEIGHT_SCHEMES["this"])
def test_no_normalization_is_left_to_quantize(
    name: str, scheme: str, normalized: SourceModel, tmp_path: Path
) -> None:
    settings = replace(settings_of(FORMATS[name]), weight_schemes=(scheme,))
    content = convert(FORMATS[name], settings, METHODS[name], normalized)
    found = Counter(node.op_type for node in onnx.load_from_string(content).graph.node)
    if name == "onnx-int8":
        assert {"Mul", "Add"}.isdisjoint(found)
        assert (found["Conv"], found["Gemm"]) == (1, 3)
    else:  # scales before and behind each product, and biases
        assert (found["ConvInteger"], found["MatMulInteger"]) == (1, 3)
        assert (found["Mul"], found["Add"]) == (8, 3)


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize(("noise", "kept"), [(100.0, False), (10.0, True)])
def test_tables_and_transposed_convolutions_are_stored_in_8_bits(
    name: str, noise: float, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latter stay in float where 8 bits would cost more than the rest; the file says so."""
    monkeypatch.setattr("export.convert.onnx.transposed.MIN_SNR_DB", noise)
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28), name="image")
    rows = keras.layers.Embedding(50, 4)(keras.ops.cast(image * 49, "int32"))
    x = keras.layers.Conv2DTranspose(6, 4, strides=2)(rows)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(image, keras.layers.Dense(10, name="head")(x)).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(convert(FORMATS[name], settings_of(FORMATS[name]), METHODS[name], source))
    onnx.checker.check_model(path, full_check=True)
    graph = read_graph(path)
    told = [seen.value for seen in parts_in_float(FORMATS[name], graph)]
    if kept or name == "onnx-int8":
        assert told == []
        assert graph.stored_bytes < 1.5 * (50 * 4 + 6 * 4 * 16 + 6 * 10) + 300
    else:
        assert told == ["ConvTranspose 384 of 644 weights"]


def test_a_quantized_file_that_is_larger_than_float32_is_told(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    x = image = keras.Input((28, 28), name="image")
    x = keras.layers.GlobalAveragePooling1D()(x)
    for _ in range(6):
        x = keras.layers.Dense(2, activation="tanh")(x)
    keras.Model(image, keras.layers.Dense(10, name="head")(x)).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    entry = FORMATS["onnx-int8"]
    path = tmp_path / "model.onnx"
    path.write_bytes(convert(entry, settings_of(entry), "min-max", source))
    (seen,) = larger_than_float32(entry, settings_of(entry), path, source)
    assert "kB as float32" in str(seen.value)
    assert "QuantizeLinear" in str(seen.value)
    plain = FORMATS["onnx-float32"]
    assert larger_than_float32(plain, settings_of(plain), path, source) == []
    path.write_bytes(convert(plain, settings_of(plain), None, source))
    assert larger_than_float32(entry, settings_of(entry), path, source) == []


@pytest.mark.parametrize("scheme", SIGNED_WEIGHTS)
def test_the_unsigned_twin_computes_what_the_file_computes(
    scheme: str, tiny: Tiny, tmp_path: Path
) -> None:
    """Compared where nothing is integer arithmetic, which is the same on every processor."""
    content = stored("onnx-int8", scheme, tiny)
    twin = unsigned_twin(content)
    signed, unsigned = (outputs(model, tiny, tmp_path, "disabled") for model in (content, twin))
    assert np.array_equal(signed, unsigned)
    types = {tensor.data_type for tensor in onnx.load_from_string(twin).graph.initializer}
    assert onnx.TensorProto.UINT8 in types
    assert onnx.TensorProto.INT8 not in types


@NAMES
@pytest.mark.parametrize("scheme", SAFE_WEIGHTS)
def test_safe_weights_overflow_nowhere(name: str, scheme: str, tiny: Tiny, tmp_path: Path) -> None:
    """Kernels that add in 16 bits would be off by far more than roundings."""
    content = stored(name, scheme, tiny)
    fused, plain = (outputs(content, tiny, tmp_path, mode) for mode in ("all", "disabled"))
    assert np.abs(fused - plain).max() < 0.05


@pytest.mark.skipif(platform.machine() != "x86_64", reason="Arm's kernels never overflow")
def test_sums_overflow_on_processors_without_dot_products() -> None:
    assert overflows_here() == (not set(DOT_PRODUCTS) & set(read_environment().cpu_features))


def test_zero_points_of_biases_are_left_out(tiny: Tiny) -> None:
    model = onnx.load_from_string(stored("onnx-int8", "int8 per channel", tiny))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    biases = [
        node
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and types.get(node.input[0]) == onnx.TensorProto.INT32
    ]
    assert [len(node.input) for node in biases] == [2, 2]
    used = {name for node in model.graph.node for name in node.input}
    assert used >= types.keys()
