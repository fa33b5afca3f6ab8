from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers

from export.convert.qat.operators.gemmlowp import logistic, tanh
from export.convert.qat.tune import tune
from export.convert.source import SourceModel
from export.convert.tflite.file.builder import unpack
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.conftest import settings_of, with_operator
from tests.export.convert.finetune.finetune_models import source_of
from tests.export.convert.qat.test_network import file_of, sequence_model
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow  # it converts and trains with TensorFlow

QAT = FORMATS["tflite-int8-qat"]


def outputs_of(content: bytes, source: SourceModel) -> np.ndarray:
    path = source.folder / "tuned.tflite"
    path.write_bytes(content)
    with open_runner("litert", path, threads=1) as runner:
        (found,) = predict(runner, source.teacher()[0]).values()
    return found


def tuned(source: SourceModel, content: bytes, epochs: int = 4) -> bytes:
    settings = replace(settings_of(QAT, ExportOptions()), epochs=epochs)
    return tune(content, source, settings).content


def coarse(content: bytes) -> bytes:
    """Returns a file whose kernels have lost four of their bits."""
    from export.convert.tflite.file.builder import pack

    tree = unpack(content)
    for tensor in tree.subgraphs[0].tensors:
        data = tree.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.INT8 and data is not None and len(data):
            values = np.asarray(data, np.uint8).view(np.int8)
            tree.buffers[tensor.buffer].data = (values // 16 * 16).astype(np.int8).view(np.uint8)
    return pack(tree, len(content))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    keras.utils.set_random_seed(1)
    hidden = (layers.Dense(16, activation="relu"), layers.GRU(8))
    kind = layers.Dense(3, activation="softmax", name="kind")
    return source_of(sequence_model(*hidden, kind), tmp_path_factory.mktemp("tune"), 400)


def test_what_is_lost_is_learned_again_in_a_file_of_the_same_operators(
    source: SourceModel,
) -> None:
    content = coarse(file_of(source).read_bytes())
    (expected,) = source.teacher()[1].values()
    learned = tuned(source, content)
    before, after = (
        float(np.mean((outputs_of(each, source) - expected) ** 2)) for each in (content, learned)
    )
    assert after < before / 1.5
    assert len(learned) < 1.05 * len(content)
    codes = [
        [op.opcodeIndex for op in unpack(each).subgraphs[0].operators]
        for each in (content, learned)
    ]
    assert codes[0] == codes[1]
    assert tuned(source, content) == learned  # byte for byte


def test_the_truth_is_learned_from(source: SourceModel, tmp_path: Path) -> None:
    """The same file, teacher and order of examples; only the labels differ."""
    content = file_of(source).read_bytes()

    def learned(label: int) -> float:
        keras.utils.set_random_seed(1)
        targets: Mapping[str, np.ndarray] = {"kind": np.full(400, label)}
        place = tmp_path / str(label)
        place.mkdir()
        taught = source_of(source.model.keras_model, place, 400, targets)
        return float(np.mean(outputs_of(tuned(taught, content, 8), taught)[:, 1]))

    assert learned(1) > learned(0) + 0.02


def test_an_operator_that_cannot_be_simulated_is_named(source: SourceModel) -> None:
    content = with_operator(file_of(source).read_bytes(), schema.BuiltinOperator.L2_NORMALIZATION)
    expected = r"^quantization-aware training knows no L2_NORMALIZATION; use tflite-int8, which"
    with pytest.raises(ToolkitError, match=expected):
        tuned(source, content)


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    pool = source_of(sequence_model(layers.GlobalAveragePooling1D()), tmp_path, 50)
    with pytest.raises(ToolkitError, match="finds no weights of 8 bits to train; use tflite-int8"):
        tuned(pool, file_of(pool).read_bytes())


def test_without_data_there_is_nothing_to_train_with(source: SourceModel) -> None:
    alone = SourceModel(
        source.model, representative=source.representative, training=None, folder=source.folder
    )
    with pytest.raises(ToolkitError, match=r"^got no data to fine-tune with; give it with --cal"):
        tuned(alone, file_of(source).read_bytes())


def test_the_curves_inside_an_lstm_are_close_to_the_functions() -> None:
    numbers = np.arange(-32768, 32768)
    assert np.abs(logistic() / 32768 - 1 / (1 + np.exp(-numbers / 4096))).max() < 3e-4
    for bits in (0, 3, 5):
        exact = np.tanh(numbers / 2.0 ** (15 - bits))
        assert np.abs(tanh(bits) / 32768 - exact).max() < 1e-3
