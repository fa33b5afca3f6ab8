"""Whole models with recurrent layers: everything that Keras does around the operator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
import tf_keras

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.candidates.trials import convert
from export.convert.onnx.overflow import overflows_here
from export.convert.source import SourceModel
from export.formats.settings import SAFE_WEIGHTS, ExportOptions
from export.formats.table import FORMATS
from export.model.keras.call import open_keras
from export.model.request import ModelRequest
from export.verify.graph.read import read_graph
from export.verify.promise import check_promise
from tests.export.conftest import settings_of

pytestmark = pytest.mark.slow  # it converts with TensorFlow

STEPS, FEATURES, UNITS = 6, 3, 4
EXAMPLES = 12


def examples() -> dict[str, np.ndarray]:
    """Sequences without padding, padded at the end or the start, with gaps, and all masked."""
    draw = np.random.default_rng(2)
    x = draw.normal(size=(EXAMPLES, STEPS, FEATURES)).astype(np.float32)
    for number, steps in enumerate(
        [[], [5], [3, 4, 5], [0], [0, 1, 2], [2], [1, 3], [0, 2, 5], range(STEPS)]
    ):
        x[number, list(steps)] = 0
    state = draw.normal(size=(2, EXAMPLES, UNITS)).astype(np.float32)
    return {"x": x, "h": state[0], "c": state[1]}


def merged(kl: Any, mode: str | None, sequences: bool, x: Any, *states: Any) -> Any:
    return kl.Bidirectional(kl.GRU(UNITS, return_sequences=sequences), merge_mode=mode)(x)


def variants(library: Any) -> dict[str, Any]:
    """Returns what a model has as outputs, by name, as functions of its three inputs."""
    kl = library.layers
    lstm, gru, simple, both = kl.LSTM, kl.GRU, kl.SimpleRNN, kl.Bidirectional
    back: dict[str, Any] = {"go_backwards": True, "return_sequences": True}
    found: dict[str, Callable[[Any, Any, Any], Any]] = {
        "last": lambda x, h, c: lstm(UNITS)(x),
        "sequences": lambda x, h, c: gru(UNITS, return_sequences=True)(x),
        "simple": lambda x, h, c: simple(UNITS, return_sequences=True)(x),
        "reset_before": lambda x, h, c: gru(UNITS, reset_after=False)(x),
        "backwards": lambda x, h, c: gru(UNITS, go_backwards=True)(x),
        "backwards_sequences": lambda x, h, c: lstm(UNITS, **back)(x),
        "stacked": lambda x, h, c: gru(UNITS)(lstm(UNITS, return_sequences=True)(x)),
        "states": lambda x, h, c: lstm(UNITS, return_state=True)(x, initial_state=[h, c]),
        "gru_states": lambda x, h, c: gru(UNITS, return_sequences=True, return_state=True)(
            x, initial_state=[h]
        ),
        "two_states": lambda x, h, c: both(lstm(UNITS, return_state=True))(
            x, initial_state=[h, c, c, h]
        ),
    }
    for mode in ("concat", "sum", "mul", "ave", None):
        for sequences in (False, True):
            found[f"{mode}_{sequences}"] = partial(merged, kl, mode, sequences)
    if library is keras:
        zero: dict[str, Any] = {"zero_output_for_mask": True}
        found |= {
            "zeros": lambda x, h, c: gru(UNITS, **zero)(x),
            "zeros_backwards": lambda x, h, c: gru(UNITS, go_backwards=True, **zero)(x),
            "zeros_sequences": lambda x, h, c: lstm(UNITS, return_sequences=True, **zero)(x),
        }
    return found


@dataclass(frozen=True)
class Converted:
    """What Keras and the ONNX file of one model give, (N, …) by the variant's name."""

    expected: Mapping[str, list[np.ndarray]]
    found: Mapping[str, list[np.ndarray]]
    operators: tuple[str, ...]


def conversion(case: "Case", folder: Path) -> Converted:
    """Converts one model that has variants as outputs."""
    library, batch = case.library, case.batch
    inputs = [
        library.Input((STEPS, FEATURES), name="x"),
        *(library.Input((UNITS,), name=name) for name in ("h", "c")),
    ]
    x, *states = inputs
    if case.masked:
        x = library.layers.Masking()(x)
    made: dict[str, list[Any]] = {}
    for name, build in variants(library).items():
        if case.some and name not in case.some:
            continue
        outputs = build(x, *states)
        made[name] = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    named = [
        library.layers.Activation("linear", name=f"{name}_{place}")(output)
        for name, outputs in made.items()
        for place, output in enumerate(outputs)
    ]
    model = library.Model(inputs, named)
    draw = np.random.default_rng(1)
    model.set_weights([draw.normal(size=each.shape) / 2 for each in model.get_weights()])
    source = SourceModel(
        open_keras(model, ModelRequest(path="model"), lambda operators: None),
        representative=None,
        training=None,
        folder=folder,
    )
    entry = FORMATS["onnx-float32"]
    content = convert(entry, settings_of(entry, ExportOptions(batch=batch)), None, source)
    path = folder / "model.onnx"
    path.write_bytes(content)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    data = examples()
    size = EXAMPLES if batch == "dynamic" else 1
    runs = [
        session.run(None, {name: values[start : start + size] for name, values in data.items()})
        for start in range(0, EXAMPLES, size)
    ]
    names = [each.name for each in session.get_outputs()]
    joined = {name: np.concatenate(parts) for name, *parts in zip(names, *runs, strict=True)}
    expected = source.predict(data)

    def by_variant(values: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
        return {
            name: [values[f"{name}_{place}"] for place in range(len(outputs))]
            for name, outputs in made.items()
        }

    return Converted(by_variant(expected), by_variant(joined), read_graph(path).operators)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model: of what library, its mask and batch, and which variants, all if none is named."""

    library: Any = keras
    masked: bool = True
    batch: str = "dynamic"
    some: tuple[str, ...] = ()


CASES = {
    "masked": Case(),
    "not masked": Case(
        masked=False,
        some=("simple", "reset_before", "backwards_sequences", "states", "concat_True"),
    ),
    "one at a time": Case(batch="1", some=("stacked", "backwards_sequences", "sum_True")),
    "tf-keras": Case(library=tf_keras, some=("simple", "gru_states", "concat_True")),
}


@pytest.fixture(scope="module", params=CASES)
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Converted:
    return conversion(CASES[request.param], tmp_path_factory.mktemp("conversion"))


@pytest.mark.parametrize("variant", variants(keras))
def test_what_keras_does_around_the_operator(variant: str, converted: Converted) -> None:
    wanted = converted.expected.get(variant, [])  # not every model has all of them
    for expected, found in zip(wanted, converted.found.get(variant, []), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_loop_is_left(converted: Converted) -> None:
    assert "Loop" not in converted.operators
    assert {"LSTM", "GRU", "RNN"} & set(converted.operators)


class OwnCell(keras.layers.SimpleRNNCell):
    """A cell that has no operator."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Returns what Keras's does, halved."""
        output, _ = super().call(inputs, states, training=training)
        return output / 2, [output / 2]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    """An LSTM, an operator, and a layer that is a loop, with data to calibrate."""
    kl = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES), name="x"),
            kl.LSTM(16, return_sequences=True, name="operator"),
            kl.RNN(OwnCell(32), name="looped"),
            kl.Dense(32, activation="relu"),
            kl.Dense(4, name="head"),
        ]
    )
    calibration = RepresentativeDataset(inputs={"x": examples()["x"]}, examples=(), sha256="")
    return SourceModel(
        open_keras(model, ModelRequest(path="model"), lambda operators: None),
        representative=calibration,
        training=None,
        folder=tmp_path_factory.mktemp("mixed"),
    )


@pytest.mark.parametrize("name", ["onnx-dynamic", "onnx-int8"])
def test_weights_are_integers_computed_with_in_float(name: str, mixed: SourceModel) -> None:
    entry = FORMATS[name]
    method = "min-max" if entry.calibrated else None
    path = mixed.folder / f"{name}.onnx"
    settings = settings_of(entry)
    if overflows_here():
        settings = replace(settings, weight_schemes=SAFE_WEIGHTS[2:])
    path.write_bytes(convert(entry, settings, method, mixed))
    graph = read_graph(path)
    assert {"LSTM", "Loop"} < set(graph.operators)
    assert {each.dtype for each in graph.products if each.looped} == {"int8"}
    assert all(check.passed for check in check_promise(entry, graph))
    x = examples()["x"]
    (found,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, {"x": x}
    )
    expected = mixed.predict({"x": x})["head"]
    noise = np.sum((found - expected) ** 2)
    assert 10 * np.log10(np.sum((expected - expected.mean(axis=0)) ** 2) / noise) > 25


def test_float_weights_in_an_integer_file_are_seen(mixed: SourceModel) -> None:
    entry = FORMATS["onnx-float32"]
    path = mixed.folder / "float32.onnx"
    path.write_bytes(convert(entry, settings_of(entry), None, mixed))
    graph = read_graph(path)
    assert {"LSTM", "MatMul"} <= set(graph.float_operators)
    failed = {c.name for c in check_promise(FORMATS["onnx-int8"], graph) if not c.passed}
    assert {"weight_types", "float_operators"} <= failed
