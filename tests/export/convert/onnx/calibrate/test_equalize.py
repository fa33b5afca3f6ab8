"""Channels of one size: the function stays what it was."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from export.convert.calibrate.calibration import onnx_values
from export.convert.onnx.calibrate.equalize import equalized
from export.convert.onnx.float_model import to_onnx
from export.convert.onnx.quantizer import prepare
from export.convert.onnx.recurrent.choice import choose
from export.formats.table import FORMATS
from tests.export.conftest import load_source, settings_of
from tests.export.convert.tflite.calibrate.test_equalize import unlike_channels

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("limit", [None, 6.0])
@pytest.mark.parametrize("second", ["depthwise", "convolution"])
def test_it_is_the_same_function(limit: float | None, second: str, tmp_path: Path) -> None:
    unlike_channels(limit, second, tmp_path / "model.keras")
    source, entry = load_source(tmp_path / "model.keras", tmp_path), FORMATS["onnx-int8"]
    settings = settings_of(entry)
    choice = choose(source.recurrent_layers(), entry, settings.recurrent)
    prepared = prepare(to_onnx(settings, source, choice), source)
    inputs = dict(source.representative.inputs)
    other = equalized(prepared, inputs)
    assert other.read_bytes() != prepared.read_bytes()
    assert equalized(prepared, inputs) == other
    found = []
    for path in (prepared, other):
        values = onnx_values(onnx.load(path), ["mean"], inputs)
        found.append(np.concatenate([each["mean"] for each in values]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)
