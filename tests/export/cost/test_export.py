"""What is told before training is what the export of the trained network takes."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.cost.candidate import randomize
from export.cost.compiled import cost_of_c
from export.cost.cost import Candidate, Request
from export.cost.firmware import most_stack
from tests.export.conftest import Tiny
from tests.export.cost.conftest import Ask, needs_core
from train.data.fashion_mnist import INPUT_NAME

pytestmark = pytest.mark.slow
FEW_BYTES = 48  # of methods of calibration that leave something behind


def test_a_file_is_as_large_as_the_one_of_a_trained_network(ask: Ask, tiny: Tiny) -> None:
    found = ask(model=tiny.path, format="tflite-int8", needs=["flash"])
    made = tiny.made("tflite-int8").path.stat().st_size
    assert abs(found["file_bytes"] - made) <= FEW_BYTES


@pytest.mark.parametrize("board", ["uno", "pico", "nucleo-l432kc"])
def test_firmware_is_as_large_as_that_of_a_trained_network(
    board: str, ask: Ask, tiny: Tiny, tmp_path: Path
) -> None:
    needs_core("ATmega328P" if board == "uno" else "Cortex-M4")
    found = ask(model=tiny.path, format="c", board=board, needs=["ram"])
    examples = {INPUT_NAME: tiny.expected.inputs[INPUT_NAME][:2]}
    path = tiny.made("tflite-int8").path
    candidate = Candidate(path=path, examples=examples, multiplications=None)
    request = Request(model=tiny.path, format="c", board=board, needs=("ram",))
    made = cost_of_c(request, candidate, tmp_path)
    assert made.flash_bytes is not None
    assert abs(found["flash_bytes"] - made.flash_bytes) <= FEW_BYTES
    assert abs(found["ram_bytes"] - (made.ram_bytes or 0)) <= FEW_BYTES
    assert found["detail"]["constants"] == made.detail["constants"]
    assert most_stack(tmp_path / "model.o") >= int(made.detail["stack"])


def test_an_exported_file_is_measured_as_it_is(ask: Ask, tiny: Tiny) -> None:
    path = tiny.made("tflite-int8").path
    found = ask(model=path, format="tflite-int8", needs=["ram"])
    assert found["flash_bytes"] == path.stat().st_size
    assert found["ram_bytes"] > 0
    onnx = tiny.made("onnx-int8").path
    assert ask(model=onnx, format="onnx-int8", needs=[])["flash_bytes"] == onnx.stat().st_size


def test_random_weights_leave_nothing_equal_and_variances_positive() -> None:
    image = keras.Input((8, 8, 2))
    x = keras.layers.BatchNormalization()(keras.layers.SeparableConv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dropout(0.5)(x))
    named = [(each.path, each.value) for each in model.variables]
    randomize(named)
    for name, variable in named:
        if isinstance(variable, tf.Variable) and variable.dtype.is_floating:
            values = variable.numpy()
            assert np.unique(values).size == values.size, name
            if "variance" in name or "gamma" in name:
                assert values.min() > 0
