"""Models whose outputs are indices, through the real converters."""

from pathlib import Path

import keras
import pytest

from export.convert.make import make
from export.formats.table import FORMATS
from export.verify.expectation import Expectation
from tests.export.conftest import Tiny, load_source, settings_of, unlabelled
from train.common.errors import CheckError
from train.common.tensors import TensorSpec

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow
SPECS = (
    TensorSpec(name="scores", shape=(None, 10), dtype="float32"),
    TensorSpec(name="classes", shape=(None, 1), dtype="int32"),
)


@pytest.mark.parametrize("name", ["tflite-dynamic", "onnx-int8", "onnx-float32"])
def test_the_class_that_a_model_names_is_kept(name: str, tiny: Tiny, tmp_path: Path) -> None:
    _, classes = keras.ops.top_k(tiny.model.output, 1)
    model = keras.Model(tiny.model.input, {"scores": tiny.model.output, "classes": classes})
    model.save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    outputs = source.predict(tiny.expected.inputs)
    expected = unlabelled(source, dict(tiny.expected.inputs))
    assert {spec.name: spec for spec in source.outputs} == {spec.name: spec for spec in SPECS}
    made = make(FORMATS[name], settings_of(FORMATS[name]), source, expected, tmp_path)
    checks = {check.name: check.value for check in made.verification.checks}
    assert float(checks["agreement"]) > 0.9
    others = {**outputs, "classes": (outputs["classes"] + 1) % 10}
    with pytest.raises(CheckError, match="check agreement with Keras: got 0"):
        make(
            *(FORMATS[name], settings_of(FORMATS[name]), source),
            Expectation(**{**vars(expected), "outputs": others}),
            tmp_path,
        )
