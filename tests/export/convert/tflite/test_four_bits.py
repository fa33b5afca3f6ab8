"""Weights of 4 bits: which, how they are stored, and that they compute as they should."""

from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.convert.tflite.four_bits import best_scales, narrow
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.runtimes.open import MODES, open_runner
from export.runtimes.predict import predict
from export.runtimes.runner import Runner
from export.runtimes.tflm import TFLMRunner
from export.verify.graph.read import read_graph
from export.verify.promise import check_promise
from tests.export.conftest import load_source, settings_of
from tests.export.deploy.c.recurrent_files import model_file
from train.common.errors import ToolkitError

INT4, INT8 = schema.TensorType.INT4, schema.TensorType.INT8


def test_scales_leave_the_least_squared_error() -> None:
    weights = np.random.RandomState(0).standard_t(3, (6, 500))
    weights[2] = 0

    def error(scales: np.ndarray) -> np.ndarray:
        levels = np.clip(np.rint(weights / scales[:, None]), -7, 7)
        found: np.ndarray = ((levels * scales[:, None] - weights) ** 2).sum(axis=1)
        return found

    found = best_scales(weights)
    assert np.all(found > 0)
    extremes = np.maximum(np.abs(weights).max(axis=1), 1e-9) / 7
    assert np.all(error(found)[[0, 1, 3, 4, 5]] < 0.9 * error(extremes)[[0, 1, 3, 4, 5]])
    for factor in (0.95, 1.05):
        assert np.all(error(found) <= 1.01 * error(found * factor))


def image_model(folder: Path) -> SourceModel:
    """An image model with all three kinds of kernels, and a last layer of another name."""
    keras.utils.set_random_seed(2)
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Reshape((28, 28, 1))(image)
    x = keras.layers.Conv2D(8, 5, strides=2, activation="relu")(x)
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=3, activation="relu")(x)
    x = keras.layers.Conv2D(15, 3, strides=2, activation="relu")(x)
    x = keras.layers.Dense(41, activation="relu", name="dense")(keras.layers.Flatten()(x))
    x = keras.layers.Dense(10, name="dense_1")(x)
    keras.Model(image, x).save(folder / "model.keras")
    return load_source(folder / "model.keras", folder)


def kernels_of(path: Path) -> dict[str, list[int]]:
    """Returns the dtypes of the kernels by operator, in order."""
    tree = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    found: dict[str, list[int]] = {}
    for operator in tree.subgraphs[0].operators:
        name = names[tree.operatorCodes[operator.opcodeIndex].builtinCode]
        if len(operator.inputs) == 3:
            kernel = tree.subgraphs[0].tensors[operator.inputs[1]]
            found.setdefault(name, []).append(kernel.type)
    return found


@pytest.mark.slow
def test_every_kind_of_kernel_computes_in_4_bits_on_every_runtime(tmp_path: Path) -> None:
    source, entry = image_model(tmp_path), FORMATS["tflite-int4"]
    images = {"image": source.representative.inputs["image"][:30]}
    wanted = source.predict(images)["dense_1"]
    eight = convert(FORMATS["tflite-int8"], settings_of(FORMATS["tflite-int8"]), "min-max", source)
    shares = {}
    for share in (0.0, 1 / 16, 1 / 2):
        path = tmp_path / f"{share}.tflite"
        path.write_bytes(narrow(eight, share))
        shares[share] = kernels_of(path)
        with open_runner("litert", path, threads=1) as runner:
            outputs = predict(runner, images)["dense_1"]
            others: list[Runner] = [TFLMRunner(path, like=runner)]
            others += [open_runner("litert", path, threads=1, mode=m) for m in MODES["litert"]]
            for other in others:
                with other:
                    assert np.allclose(predict(other, images)["dense_1"], outputs, atol=0.05)
        noise = np.sum((outputs - wanted) ** 2) / np.sum((wanted - wanted.mean(0)) ** 2)
        assert noise < 0.2
        assert all(check.passed for check in check_promise(entry, read_graph(path)))
    assert shares == {
        0.0: {
            "CONV_2D": [INT4, INT4],
            "DEPTHWISE_CONV_2D": [INT4],
            "FULLY_CONNECTED": [INT4, INT8],
        },
        1 / 16: {
            "CONV_2D": [INT8, INT4],
            "DEPTHWISE_CONV_2D": [INT8],
            "FULLY_CONNECTED": [INT4, INT8],
        },
        1 / 2: {
            "CONV_2D": [INT8, INT8],
            "DEPTHWISE_CONV_2D": [INT8],
            "FULLY_CONNECTED": [INT4, INT8],
        },
    }


@pytest.mark.slow
@pytest.mark.parametrize("batch", ["1", "dynamic"])
def test_a_model_of_one_layer_has_it_in_4_bits_and_int8_breaks_the_names_promise(
    batch: str, tmp_path: Path
) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Dense(10, name="scores")(keras.layers.Flatten()(image))
    keras.Model(image, x).save(tmp_path / "model.keras")
    source, path = load_source(tmp_path / "model.keras", tmp_path), tmp_path / "model.tflite"
    entry, passed = FORMATS["tflite-int4"], {}
    for name in ("tflite-int4", "tflite-int8"):
        settings = settings_of(FORMATS[name], ExportOptions(batch=batch))
        path.write_bytes(convert(FORMATS[name], settings, "min-max", source))
        passed[name] = all(check.passed for check in check_promise(entry, read_graph(path)))
    assert passed == {"tflite-int4": True, "tflite-int8": False}


@pytest.mark.slow
def test_a_model_without_such_layers_is_refused_in_words(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    keras.Model(image, keras.layers.ReLU(name="same")(image)).save(tmp_path / "model.keras")
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS["tflite-int4"]
    with pytest.raises(ToolkitError, match=r"tflite-int4: .*: it has no dense or conv"):
        convert(entry, settings_of(entry), "min-max", source)


@pytest.mark.slow
def test_a_head_in_4_bits_behind_an_lstm_in_8_breaks_the_names_promise(tmp_path: Path) -> None:
    eight = model_file("lstm", tmp_path)
    path = tmp_path / "narrowed.tflite"
    path.write_bytes(narrow(eight.read_bytes(), 0.0))
    checks = check_promise(FORMATS["tflite-int4"], read_graph(path))
    assert [check.name for check in checks if not check.passed] == ["weight_types"]
