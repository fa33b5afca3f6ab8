"""Weights of `.onnx` files, rounded by what their layers read."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from export.convert.candidates.trials import convert
from export.convert.onnx.calibrate.bias import conversions_of, meaning_of
from export.convert.source import SourceModel
from export.formats.calibration import ROUNDED
from export.formats.settings import WEIGHT_SCHEMES
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.distance import distance
from tests.conftest import synthetic
from tests.export.conftest import load_source, settings_of
from train.data.fashion_mnist import PREPROCESSING

pytestmark = pytest.mark.slow

ENTRY = FORMATS["onnx-int8"]
KINDS = {"Conv", "Gemm", "MatMul"}
LEAST_GAIN = 1.0  # decibels of what weights alone cost


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    """Every kind of layer with weights, along lines and over pictures, padded and not."""
    folder = tmp_path_factory.mktemp("rounded")
    keras.utils.set_random_seed(4)
    layers = keras.layers
    image = keras.Input((28, 28), name="image")
    line = layers.Conv1D(12, 3, strides=2, padding="same", activation="relu")(image)
    line = layers.Dense(8, "relu")(line)  # of each place
    x = layers.AveragePooling2D(2)(layers.Reshape((28, 28, 1))(image))
    x = layers.Conv2D(12, 3, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([layers.Flatten()(x), layers.Flatten()(line)])
    x = layers.Dense(4, name="values")(layers.Dense(48, "relu")(x))
    keras.Model(image, x).save(folder / "model.keras")
    return load_source(folder / "model.keras", folder)


def with_rounded_weights(content: bytes, folder: Path) -> onnx.ModelProto:
    """The float model with a file's weights: what these cost by themselves."""
    quantized = onnx.load_from_string(content).graph
    (prepared,) = folder.glob("prepared-*.onnx")
    model = onnx.load(prepared)
    stored = {tensor.name: tensor for tensor in quantized.initializer}
    conversions = {node.input[0]: node for node in conversions_of(quantized).values()}
    for tensor in model.graph.initializer:
        conversion = conversions.get(f"{tensor.name}_quantized")
        meant = None if conversion is None else meaning_of(conversion, stored)
        if meant is not None:
            values = meant.astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return model


@pytest.mark.parametrize("scheme", WEIGHT_SCHEMES["this"])
def test_outputs_on_other_examples_are_nearer_to_the_model(
    scheme: str, source: SourceModel, tmp_path: Path
) -> None:
    settings = replace(settings_of(ENTRY), weight_schemes=(scheme,))
    others = {"image": PREPROCESSING.apply(synthetic(100, seed=11).images)}
    wanted = source.predict(others)["values"]
    ratios, files = {}, {}
    for method in ("min-max", ROUNDED):
        files[method] = convert(ENTRY, settings, method, source)
        model = with_rounded_weights(files[method], source.folder)
        path = tmp_path / f"{method}.onnx"
        onnx.save(model, path)
        with open_runner(ENTRY.runtime, path, threads=1) as runner:
            made = predict(runner, others)["values"]
        ratios[method] = distance(made, wanted, None).centred_snr_db
    assert ratios[ROUNDED] > ratios["min-max"] + LEAST_GAIN
    plain, rounded = (onnx.load_from_string(content).graph for content in files.values())
    changed = [
        before.name
        for before, after in zip(plain.initializer, rounded.initializer, strict=True)
        if before.SerializeToString() != after.SerializeToString()
    ]
    assert len(changed) == sum(node.op_type in KINDS for node in rounded.node) == 7


def test_steps_stay_and_levels_move_by_few(source: SourceModel) -> None:
    settings = replace(settings_of(ENTRY), weight_schemes=("7-bit per channel",))
    plain, rounded = (
        onnx.load_from_string(convert(ENTRY, settings, method, source)).graph.initializer
        for method in ("min-max", ROUNDED)
    )
    for before, after in zip(plain, rounded, strict=True):
        one, other = (
            onnx.numpy_helper.to_array(each).astype(np.float64) for each in (before, after)
        )
        if before.data_type == onnx.TensorProto.FLOAT:
            np.testing.assert_array_equal(one, other)
        elif one.ndim > 1:
            assert np.abs(other).max() <= 64
            assert np.abs(one - other).max() <= 8
