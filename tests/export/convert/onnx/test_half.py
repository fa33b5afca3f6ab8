"""Whether half precision folds what follows a layer into it."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from export.convert.candidates.trials import convert
from export.formats.table import FORMATS
from tests.export.conftest import load_source, settings_of

pytestmark = pytest.mark.slow  # it converts with TensorFlow

HALF = FORMATS["onnx-float16"]
STEP = 1 + 2**-10  # in half precision, as the kernel's numbers are, but their products are not


@pytest.mark.parametrize(("factor", "is_folded"), [(STEP, False), (2.0, True)])
def test_a_factor_is_folded_unless_its_products_round_worse(
    factor: float, is_folded: bool, tmp_path: Path
) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Dense(10, use_bias=False, name="dense")(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Rescaling(factor, name="head")(x))
    kernel = np.random.default_rng(3).normal(size=(784, 10)).astype(np.float16)
    model.get_layer("dense").set_weights([kernel.astype(np.float32)])
    model.save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    half = onnx.load_from_string(convert(HALF, settings_of(HALF), None, source))
    assert ("Mul" in [node.op_type for node in half.graph.node]) is not is_folded
