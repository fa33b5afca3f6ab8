from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from export.convert.finetune import fine_tune
from export.convert.finetune.rebuild import rebuild
from export.convert.finetune.sparse import pruned
from export.convert.objective import objective, training_batch
from export.convert.source import SourceModel
from export.convert.tflite.converter import convert
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.model.loaded import SIGNATURE
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.graph.read import read_graph
from tests.export.conftest import settings_of
from tests.export.convert.finetune.finetune_models import (
    chain,
    residual,
    source_of,
    two_by_two,
)
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

PRUNED, CLUSTERED = "tflite-int8-pruned", "tflite-int8-clustered"
BOTH = "tflite-int8-pruned-clustered"


def options(name: str) -> ExportOptions:
    recipes = FORMATS[name].recipes
    return ExportOptions(
        epochs=1,
        sparsity=0.25 if "pruned" in recipes else None,
        clusters=12 if "clustered" in recipes else None,
    )


def converted(name: str, source: SourceModel) -> Path:
    entry = FORMATS[name]
    path = source.folder / f"{name}.tflite"
    path.write_bytes(convert(entry, settings_of(entry, options(name)), "min-max", source))
    return path


def noise_ratios_db(path: Path, source: SourceModel) -> dict[str, float]:
    inputs, expected = source.teacher()
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, inputs)
    return {
        name: float(10 * np.log10(values.var() / np.mean((values - found[name]) ** 2)))
        for name, values in expected.items()
    }


@pytest.mark.parametrize(
    ("make", "name", "least_db"),
    [
        (chain, BOTH, 10),
        (residual, CLUSTERED, 8),
        (two_by_two, PRUNED, 4),
    ],
)
def test_what_is_made_is_integer_and_close(
    make: Callable[[], keras.Model], name: str, least_db: float, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    source = source_of(make(), tmp_path)
    path = converted(name, source)
    graph = read_graph(path)
    assert graph.float_operators == graph.foreign_operators == ()
    ratios = noise_ratios_db(path, source)
    assert min(ratios.values()) >= least_db, ratios
    if "clustered" in name:
        assert max(np.unique(kernel).size for kernel in graph.kernels) <= 12
    if name == PRUNED:
        zeros = [float(np.mean(kernel == 0)) for kernel in graph.kernels]
        assert sum(share >= 0.24 for share in zeros) == len(zeros) - 2  # all but the outputs'


def test_the_saved_model_has_the_sources_names_and_an_open_batch(tmp_path: Path) -> None:
    source = source_of(two_by_two(), tmp_path)
    settings = settings_of(FORMATS[PRUNED], ExportOptions(epochs=1, batch="dynamic"))
    folder = fine_tune(source, (), settings)  # rebuilt, and not trained
    signature = tf.saved_model.load(str(folder)).signatures[SIGNATURE]
    assert signature.structured_input_signature[1] == {
        "words": tf.TensorSpec((None, 6), tf.int32, name="words"),
        "z": tf.TensorSpec((None, 4), tf.float32, name="z"),
    }
    assert {name: spec.shape.as_list() for name, spec in signature.structured_outputs.items()} == {
        "alarm": [None, 1],
        "where": [None, 3],
    }


@pytest.mark.parametrize(("count", "batch"), [(10, 10), (200, 16), (1000, 50)])
def test_pruning_reaches_its_sparsity_however_few_the_examples(
    count: int, batch: int, tmp_path: Path
) -> None:
    source = source_of(dense_model(), tmp_path, count)
    assert training_batch(source) == batch
    sparse = pruned(rebuild(source.model, source.representative.inputs), source, 1, 0.75)
    kernels = [layer.kernel.numpy() for layer in sparse.layers if layer.weights]
    zeros = [float(np.mean(kernel == 0)) for kernel in kernels]
    assert zeros == pytest.approx([0.75, 0.75, 0], abs=0.02)


def dense_model() -> keras.Model:
    hidden = (layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu"))
    return keras.Sequential([keras.Input((8,), name="x"), *hidden, layers.Dense(2)])


def sequence_model(*chain: Any) -> keras.Model:
    return keras.Sequential([keras.Input((6, 8), name="x"), *chain])


@pytest.mark.parametrize(
    ("model", "name", "complaint"),
    [
        (
            sequence_model(layers.Flatten(), layers.Dense(2, name="last")),
            PRUNED,
            r"no dense or convolution layer to prune before those of its outputs \(last\)",
        ),
        (
            sequence_model(layers.DepthwiseConv1D(2), layers.GlobalAveragePooling1D()),
            CLUSTERED,
            "no dense or convolution layer with more than 12 distinct weights to cluster",
        ),
    ],
    ids=[PRUNED, CLUSTERED],
)
def test_a_model_that_a_scheme_cannot_improve_is_refused(
    model: keras.Model, name: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolkitError, match=f"{complaint}.*; use tflite-int8, which needs no"):
        converted(name, source_of(model, tmp_path, 20))


@pytest.mark.parametrize(("name", "done"), [(PRUNED, "pruned"), (CLUSTERED, "clustered")])
def test_a_layer_that_stays_dense_is_named(name: str, done: str, tmp_path: Path) -> None:
    model = sequence_model(layers.LSTM(8, name="memory"), layers.Dense(16), layers.Dense(2))
    with pytest.raises(ToolkitError, match=rf"layer 'memory' \(LSTM\) cannot be {done}, only"):
        converted(name, source_of(model, tmp_path, 20))


SHARES = np.array([[0.7, 0.3], [0.4, 0.6]], np.float32)


@pytest.mark.parametrize(
    ("outputs", "truth", "loss", "targets"),
    [
        (SHARES, None, "categorical_crossentropy", SHARES),
        (SHARES, [1, 0], "categorical_crossentropy", [[0.63, 0.37], [0.46, 0.54]]),
        (SHARES, [[0.5, 0.5]] * 2, "categorical_crossentropy", [[0.68, 0.32], [0.41, 0.59]]),
        (SHARES[:, :1], None, "binary_crossentropy", SHARES[:, :1]),
        (SHARES[:, :1], [1, 0], "binary_crossentropy", [[0.73], [0.36]]),
        (SHARES[:, :1], [[3.0], [0.5]], "binary_crossentropy", SHARES[:, :1]),
        (SHARES * 2, [1, 0], "mean_squared_error", SHARES * 2),
        (SHARES - 1, None, "mean_squared_error", SHARES - 1),
        (SHARES[:, None], None, "mean_squared_error", SHARES[:, None]),
    ],
)
def test_each_output_has_an_objective(
    outputs: np.ndarray, truth: Any, loss: str, targets: np.ndarray
) -> None:
    found = objective(outputs, None if truth is None else np.array(truth))
    assert found.loss == loss
    assert found.targets.dtype == np.float32
    assert np.allclose(found.targets, targets, atol=1e-6)
    assert found.weight == pytest.approx(1 / outputs.var() if loss.startswith("mean") else 1)


def test_an_output_that_never_changes_has_an_objective() -> None:
    assert objective(np.full((4, 3), 2.0), None).weight == 1


def test_the_truth_is_learned_from(tmp_path: Path) -> None:
    """The same model, teacher and seed; only the labels differ."""

    def learned(targets: Mapping[str, np.ndarray]) -> np.ndarray:
        keras.utils.set_random_seed(1)
        kind = layers.Dense(2, activation="softmax", name="kind")
        source = source_of(
            sequence_model(layers.Flatten(), layers.Dense(8), kind), tmp_path, 100, targets
        )
        copy = rebuild(source.model, source.representative.inputs)
        (inputs,) = source.teacher()[0].values()
        outputs = pruned(copy, source, 3, 0.1)(inputs).numpy()
        return np.asarray(outputs[:, 1])

    ones, zeros = (learned({"kind": np.full(100, label)}) for label in (1, 0))
    assert np.mean(ones) > np.mean(zeros) + 0.02
