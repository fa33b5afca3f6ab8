"""The simulation computes what the file does, to the step."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from export.convert.qat.network import Network
from export.convert.qat.tune import Tuned
from export.convert.source import SourceModel
from export.convert.tflite.converter import convert
from export.convert.tflite.file.builder import pack, unpack
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.conftest import settings_of
from tests.export.convert.finetune.finetune_models import (
    ALL,
    WORDS,
    source_of,
    two_by_two,
)

pytestmark = pytest.mark.slow  # it converts with TensorFlow

PLAIN = FORMATS["tflite-int8"]
LEAST_EQUAL = 0.99  # of the values; the others are a step away


def file_of(source: SourceModel, options: ExportOptions | None = None) -> Path:
    path = source.folder / "model.tflite"
    path.write_bytes(convert(PLAIN, settings_of(PLAIN, options), "min-max", source))
    return path


def share_equal(path: Path, source: SourceModel, batch: int = 1) -> float:
    """Returns the share of outputs that are the same, and sees that none is far away."""
    content = path.read_bytes()
    network = Network(unpack(content))
    tuned = Tuned(content=content, network=network, batch=batch)
    inputs = {name: values[:60] for name, values in source.teacher()[0].items()}
    simulated = tuned.outputs(inputs, 60)
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, inputs)
    assert simulated.keys() == found.keys()
    steps = {name: network.steps[name] or 0.01 for name in found}
    away = {name: np.abs(simulated[name] - found[name]) / steps[name] for name in found}
    assert max(values.max() for values in away.values()) < 4
    return float(np.mean(np.concatenate([values.ravel() for values in away.values()]) < 0.01))


def sequence_model(*chain: layers.Layer, steps: int = 6) -> keras.Model:
    return keras.Sequential([keras.Input((steps, 8), name="x"), *chain])


@pytest.mark.parametrize("make", ALL)
def test_every_layer_is_simulated(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    source = source_of(make(), tmp_path)
    assert share_equal(file_of(source), source) >= LEAST_EQUAL


@pytest.mark.parametrize(("way", "steps"), [("fused", 6), ("loop", 6), ("unrolled", 2)])
def test_recurrent_layers_are_simulated_whatever_they_are_made(
    way: str, steps: int, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    chain = layers.LSTM(5, return_sequences=True), layers.LSTM(4), layers.Dense(3)
    model = sequence_model(*chain, steps=steps)
    source = source_of(model, tmp_path)
    assert share_equal(file_of(source, ExportOptions(recurrent=way)), source) >= LEAST_EQUAL


def test_masked_loops_are_simulated(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    words = keras.Input((5,), dtype="int32", name="words")
    x = layers.Embedding(WORDS, 4, mask_zero=True)(words)
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    source = source_of(keras.Model(words, layers.Dense(2)(layers.SimpleRNN(4)(x))), tmp_path)
    path = file_of(source, ExportOptions(recurrent="loop"))
    assert share_equal(path, source) >= LEAST_EQUAL


@pytest.mark.parametrize(
    ("options", "batch"),
    [
        (ExportOptions(io="float32"), 1),
        (ExportOptions(io="uint8"), 1),
        (ExportOptions(batch="dynamic"), 1),
    ],
)
def test_inputs_outputs_and_batch_are_the_files(
    options: ExportOptions, batch: int, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    source = source_of(two_by_two(), tmp_path)
    assert share_equal(file_of(source, options), source, batch) >= LEAST_EQUAL


def test_a_residual_network_is_simulated_to_the_step(tmp_path: Path) -> None:
    """Its sums have ties, and TensorFlow's optimizer of graphs would round them otherwise."""
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 2), name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    for _ in range(3):
        y = layers.Conv2D(8, 3, padding="same", activation="hard_swish")(x)
        x = layers.ReLU()(layers.Add()([x, layers.Conv2D(8, 3, padding="same")(y)]))
    x = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
    source = source_of(keras.Model(image, x), tmp_path, 200)
    assert share_equal(file_of(source), source) == 1


def test_inputs_half_way_between_two_steps_are_rounded_as_callers_round_them(
    tmp_path: Path,
) -> None:
    """Bytes brought to -1…1 are: another number of 256 for each, and half a step beside all."""
    given = keras.Input((256,), name="x")
    source = source_of(keras.Model(given, layers.Dense(6)(given)), tmp_path)
    path = file_of(source)
    content = path.read_bytes()
    network = Network(unpack(content))
    step = network.inputs[0].step
    halves = np.arange(-128, 128).astype(np.float32) * step + step / 2
    examples = {"x": np.random.RandomState(3).permutation(np.tile(halves, 40)).reshape(40, 256)}
    simulated = Tuned(content=content, network=network, batch=1).outputs(examples, 40)
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, examples)
    for name, values in found.items():
        np.testing.assert_allclose(simulated[name], values, rtol=1e-5)


def test_means_are_rounded_as_sums_of_what_is_stored(tmp_path: Path) -> None:
    """A MobileNetV3's scales, with which 574 / 64 comes to 76.500015 steps, and LiteRT says 76."""
    image = keras.Input((8, 8, 64), name="image")
    y = layers.GlobalAveragePooling2D(name="mean")(image)
    tree = unpack(file_of(source_of(keras.Model(image, y), tmp_path)).read_bytes())
    (mean,), tensors = tree.subgraphs[0].operators, tree.subgraphs[0].tensors
    scales = np.float32(0.030214883), np.float32(0.0035423487)
    for index, scale in zip((mean.inputs[0], mean.outputs[0]), scales, strict=True):
        tensors[index].quantization.scale = np.asarray([scale])
        tensors[index].quantization.zeroPoint = np.asarray([-128])
    path = tmp_path / "mean.tflite"
    path.write_bytes(pack(tree, 5000))
    total = np.arange(544, 608)  # of 64 channels, of 64 pixels each
    steps = total // 64 + (np.arange(64)[:, np.newaxis] < total % 64)
    examples = {"image": (steps * scales[0]).astype(np.float32).reshape(1, 8, 8, 64)}
    network = Network(unpack(path.read_bytes()))
    simulated = Tuned(content=b"", network=network, batch=1).outputs(examples, 1)["mean"]
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, examples)["mean"]
    assert found[0, 574 - 544] == pytest.approx(76 * scales[1])
    np.testing.assert_allclose(simulated, found, rtol=1e-5)
