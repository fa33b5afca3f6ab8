"""Verification must refuse what merely converted: each test plants a real fault."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.convert.candidates.trials import CONVERTERS
from export.convert.make import make
from export.convert.tflite.flatbuffer import finish
from export.convert.tflite.recurrent.choice import Choice
from export.formats.table import FORMATS, Format
from export.runtimes.open import open_runner
from export.runtimes.tflm import TFLMRunner
from export.verify.distance import MAX_SNR_DB, distance
from export.verify.file import _check_graph, _format_checker, verify
from export.verify.graph.contents import Graph
from export.verify.graph.read import read_graph
from tests.export.conftest import Tiny, load_tiny, settings_of, with_operator
from train.common.errors import ArtifactError, CheckError, ToolkitError

FLOAT, INT8 = FORMATS["tflite-float32"], FORMATS["tflite-int8"]


def failed(entry: Format, content: bytes, tiny: Tiny, folder: Path) -> list[str]:
    path = folder / f"{entry.name}{entry.suffix}"
    path.write_bytes(content)
    found = verify(entry, settings_of(entry), path, tiny.expected)
    return [check.name for check in found.failed]


def impostor(tiny: Tiny, folder: Path, **changes: Any) -> Any:
    """A source that converters read and whose parts a test has swapped."""
    source = copy(tiny.source)
    for name, value in {"folder": folder, "onnx_files": {}, **changes}.items():
        setattr(source, name, value)
    return source


def test_unfrozen_variables_are_caught(tiny: Tiny, tmp_path: Path) -> None:
    """The documented trap: converting a Keras 3 model's concrete function succeeds, emptily."""
    function = tf.function(tiny.source.serve).get_concrete_function(*tiny.source.signature(1))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tiny.model)
    content = finish(converter.convert(), inputs=["image"], outputs=["probabilities"])
    with pytest.raises(RuntimeError, match="READ_VARIABLE"):
        failed(FLOAT, content, tiny, tmp_path)
    path = tmp_path / "tflite-float32.tflite"
    assert read_graph(path).stored_bytes < tiny.expected.weights


def test_a_float_model_in_place_of_an_integer_one_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    path = tiny.made("tflite-dynamic").path
    assert failed(INT8, path.read_bytes(), tiny, tmp_path) == [
        *("input", "output", "activation_types", "float_operators")
    ]
    # its products are of real inputs and integer weights
    assert read_graph(path).float_operators == ("FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX")


def test_a_default_name_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(tiny.source.saved_model(1, Choice(), for_integers=False).folder)
    )
    assert failed(FLOAT, converter.convert(), tiny, tmp_path) == ["input", "output"]


def test_an_open_batch_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(tiny.source.saved_model(None, Choice(), for_integers=False).folder)
    )
    content = finish(converter.convert(), inputs=["image"], outputs=["probabilities"])
    assert failed(FLOAT, content, tiny, tmp_path) == ["input", "output", "shape_operators"]


def test_an_operator_that_only_tensorflow_has_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    """It is seen in the graph, and plain LiteRT refuses to load it."""
    module = tf.Module()
    module.model = tiny.model

    @tf.function(input_signature=tiny.source.signature(1))
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.math.asinh(tiny.model(image))}

    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": serve})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    converter.allow_custom_ops = True
    with pytest.raises(ArtifactError, match="Asinh"):
        failed(FLOAT, converter.convert(), tiny, tmp_path)
    assert read_graph(tmp_path / "tflite-float32.tflite").foreign_operators == ("Asinh",)


def test_a_layer_that_was_not_clustered_is_caught() -> None:
    entry = FORMATS["tflite-int8-clustered"]
    few, many = (np.arange(count, dtype=np.int8) for count in (16, 17))
    for kernels, passed in (((few, few), True), ((few, many), False), ((many, few), False)):
        graph = Graph(
            operators=(), float_operators=(), foreign_operators=(), depth=2, kernels=kernels
        )
        (check,) = (c for c in _check_graph(graph, settings_of(entry)) if c.limit != "none")
        assert (check.name, check.passed) == ("distinct_weights", passed)


@pytest.mark.parametrize(
    ("weights", "check"), [("untrained", "agreement with Keras: got"), ("a NaN", "finite outputs")]
)
def test_other_weights_are_caught(weights: str, check: str, tiny: Tiny, tmp_path: Path) -> None:
    other = keras.models.clone_model(tiny.model)
    if weights == "a NaN":
        values = tiny.model.get_weights()
        values[0][0, 0] = np.nan
        other.set_weights(values)
    source = impostor(
        tiny, tmp_path, serve=lambda image: {"probabilities": other(image, training=False)}
    )
    entry = FORMATS["onnx-float32"]
    with pytest.raises(CheckError, match=f"onnx-float32 was not written: check {check}"):
        make(entry, settings_of(entry), source, tiny.expected, tmp_path)


def test_a_file_that_the_reference_kernels_cannot_run_is_compared_on_others(
    tiny: Tiny, tmp_path: Path
) -> None:
    """LiteRT's reference kernels have no ELU; of what a ReLU gives, it changes nothing."""
    *first, last = tiny.model.layers
    inner = keras.Sequential([*first, keras.layers.ELU()])
    image = keras.Input((28, 28), name="image")
    keras.Model(image, last(inner(image))).save(tmp_path / "elu.keras")
    made = load_tiny(tmp_path / "elu.keras", tmp_path).make(FLOAT, tmp_path)
    assert made.verification.operators["ELU"] == 1
    checks = {check.name: check for check in made.verification.checks}
    seen = {found.name: found.value for found in made.verification.observations}
    assert seen["reference_kernels_missing_operator"] == "ELU"
    assert checks["builtin_kernels_flips"].value == 0
    assert float(checks["builtin_kernels_max_abs"].value) < 1e-4


def test_without_labels_classes_are_compared_where_they_are_decided(
    tiny: Tiny, tmp_path: Path
) -> None:
    """A model that cannot tell its examples apart gives one class or the other by chance."""
    path = tiny.made(INT8.name).path
    unlabelled = replace(tiny.expected, labels={})
    found = verify(INT8, settings_of(INT8), path, unlabelled)
    checks = {check.name for check in found.checks}
    assert {"reference_kernels_flips", "tflm_flips"} <= checks
    assert not {"agreement", "accuracy_drop"} & checks
    undecided = {name: np.full_like(v, 0.1) for name, v in tiny.expected.outputs.items()}
    found = verify(INT8, settings_of(INT8), path, replace(unlabelled, outputs=undecided))
    seen = {observation.name for observation in found.observations}
    assert {"constant", "reference_kernels_flips", "tflm_flips"} <= seen


def test_an_operator_that_tflm_lacks_is_named_and_fails_nothing(tiny: Tiny, tmp_path: Path) -> None:
    model = tmp_path / "tflite-int8.tflite"
    content = tiny.made(INT8.name).path.read_bytes()
    model.write_bytes(with_operator(content, schema.BuiltinOperator.GELU))
    found = verify(INT8, settings_of(INT8), model, tiny.expected)
    assert found.missing_in_tflm == "GELU"
    assert not [check.name for check in found.failed if "tflm" in check.name]


def test_calibration_on_garbage_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    garbage = {"image": np.full((50, 28, 28), 1e-6, dtype=np.float32)}
    source = impostor(
        tiny,
        tmp_path,
        _representative=replace(tiny.source.representative, inputs=garbage),
        float_twins={},
    )
    settings = replace(settings_of(INT8), calibration_methods=("min-max",))
    with pytest.raises(CheckError, match="agreement"):
        make(INT8, settings, source, tiny.expected, tmp_path)


def test_runtimes_that_disagree_are_caught(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tiny.made(INT8.name).path.read_bytes()
    run = TFLMRunner._run
    monkeypatch.setattr(
        TFLMRunner, "_run", lambda self, value: np.asarray(run(self, value))[:, ::-1]
    )
    assert failed(INT8, content, tiny, tmp_path) == ["tflm_flips", "tflm_max_lsb"]


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 64])
def test_what_is_no_model_is_refused(name: str, content: bytes, tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(ArtifactError):
        failed(FORMATS[name], content, tiny, tmp_path)
    with (
        pytest.raises(ArtifactError, match="cannot load"),
        open_runner(
            FORMATS[name].runtime,
            tmp_path / f"{name}{FORMATS[name].suffix}",
            threads=1,
        ),
    ):
        pass


def test_what_onnx_checker_refuses_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    """Nodes out of order, as onnxruntime's float16 conversion leaves them."""
    entry = FORMATS["onnx-float32"]
    model = onnx.load(tiny.made(entry.name).path)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    with pytest.raises(ArtifactError, match=r"onnx\.checker refuses it|cannot load"):
        failed(entry, model.SerializeToString(), tiny, tmp_path)
    with pytest.raises(ArtifactError, match=r"onnx\.checker refuses it"):
        _format_checker(tmp_path / "onnx-float32.onnx")


def test_a_converters_refusal_is_one_error_with_its_reason(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> bytes:
        raise ValueError("operator FOO has no kernel\nwith a long tail")

    monkeypatch.setitem(CONVERTERS, "tflite", SimpleNamespace(convert=refuse))
    with pytest.raises(ToolkitError, match=r"tflite-float32: .*: operator FOO has no kernel$"):
        tiny.make(FLOAT, tmp_path)


def test_distances_of_known_outputs() -> None:
    reference = np.array([[3.0, 4.0], [1.0, 0.0]], np.float32)
    same = distance(reference, reference, np.array([1, 0]))
    assert (same.agreement, same.accuracy_drop, same.snr_db) == (1, 0, MAX_SNR_DB)
    assert same.cosine == pytest.approx(1)
    outputs = np.array([[4.0, 3.0], [1.0, np.nan]], np.float32)
    found = distance(outputs, reference, np.array([1, 0]))
    assert found.finite == 0.75
    assert found.agreement == 0  # NaN is nobody's largest value
    assert found.max_abs_error == 1
    assert found.snr_db == pytest.approx(10 * np.log10(26 / 2))
    assert found.cosine == pytest.approx((24 / 25 + 1) / 2)
