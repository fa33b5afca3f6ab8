"""Products of two layers' outputs: found, made of loops, computed in 16 bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.convert.tflite.file.builder import unpack
from export.convert.tflite.four_bits import narrow
from export.convert.tflite.recurrent.builder import CODES, TYPES
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.model.load import load_model
from export.model.request import ModelRequest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.export.conftest import settings_of
from tests.export.convert.tflite.recurrent.layers import decibels
from tests.zoo.recurrent.cases import data_of, model_of

pytestmark = pytest.mark.slow  # it traces and converts with TensorFlow

L = keras.layers
Build = Callable[[Any], Any]
STEPS = 50


def _hidden(x: Any) -> Any:
    read = L.Bidirectional(L.GRU(4), merge_mode="mul")(x)
    return L.Dense(3, name="head")(L.Dense(4, activation="relu")(read))


def _read_twice(x: Any) -> Any:
    product = L.Multiply()([L.LSTM(4)(x), L.GRU(4)(x)])
    return L.Dense(3, name="head")(L.Concatenate()([product, L.Dense(2)(product)]))


def _source(model: keras.Model, folder: Path, inputs: dict[str, np.ndarray]) -> SourceModel:
    model.save(folder / "model.keras")
    return SourceModel(
        load_model(ModelRequest(path=str(folder / "model.keras"))),
        representative=RepresentativeDataset(inputs=inputs, sha256="", examples=()),
        training=None,
        folder=folder,
    )


def _int8(source: SourceModel) -> bytes:
    entry = FORMATS["tflite-int8"]
    return convert(entry, settings_of(entry, ExportOptions()), "min-max", source)


def _types_of(content: bytes, code: int) -> list[int]:
    """Returns the types of what the operators of a kind make, in a model's first graph."""
    tree = unpack(content)
    graph = tree.subgraphs[0]
    return [
        int(graph.tensors[operator.outputs[0]].type)
        for operator in graph.operators
        if tree.operatorCodes[operator.opcodeIndex].builtinCode == code
    ]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x: L.Bidirectional(L.LSTM(2), merge_mode="mul")(x), [True, True]),
        (
            lambda x: L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode="mul")(x),
            [True, True],
        ),
        (lambda x: L.Bidirectional(L.LSTM(2), merge_mode="sum")(x), [False, False]),
        (lambda x: L.Multiply()([L.LSTM(2)(x), L.Flatten()(x)]), [False]),
    ],
)
def test_layers_that_are_multiplied_by_each_other_are_found(
    build: Build, expected: list[bool], tmp_path: Path
) -> None:
    x = keras.Input((1, 2), name="x")
    source = _source(keras.Model(x, build(x)), tmp_path, {})
    assert [call.multiplied for call in source.recurrent_calls(1)] == expected


def test_a_product_of_two_directions_is_no_noise_on_fresh_examples(tmp_path: Path) -> None:
    """By an operator of 8 bits it had 19 dB: an example far beyond the others was cut off."""
    model = model_of("mul", STEPS)
    content = _int8(_source(model, tmp_path, data_of("mul", STEPS, 300, seed=1)))
    path = tmp_path / "file.tflite"
    path.write_bytes(content)
    fresh = data_of("mul", STEPS, 300, seed=2)
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, fresh)["head"]
    assert decibels(found, model.predict(fresh["x"], verbose=0)) > 25
    assert _types_of(content, CODES.MUL) == [TYPES.INT16]


@pytest.mark.parametrize(
    ("build", "narrowed"), [(_hidden, [TYPES.INT8]), (_read_twice, [TYPES.INT8, TYPES.INT8])]
)
def test_what_else_reads_a_product_has_it_in_8_bits(
    build: Build, narrowed: list[int], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    x = keras.Input((STEPS, 3), name="x")
    model = keras.Model(x, build(x))
    examples = np.random.default_rng(1).normal(size=(200, STEPS, 3)).astype(np.float32)
    content = _int8(_source(model, tmp_path, {"x": examples}))
    path = tmp_path / "file.tflite"
    path.write_bytes(content)
    with open_runner("litert", path, threads=1) as runner:
        found = predict(runner, {"x": examples})["head"]
    assert decibels(found, model.predict(examples, verbose=0)) > 25
    assert _types_of(content, CODES.MUL) == [TYPES.INT16]
    assert _types_of(content, CODES.QUANTIZE) == narrowed
    graph = unpack(narrow(content, 0.0)).subgraphs[0]
    kernels = {
        graph.tensors[each.inputs[0]].type: graph.tensors[each.inputs[1]].type
        for each in graph.operators
        if type(each.builtinOptions).__name__ == "FullyConnectedOptionsT"
    }
    assert kernels[TYPES.INT16] == TYPES.INT8  # of 16-bit values, 4-bit weights have no kernel
