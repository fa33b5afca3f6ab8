import keras
import numpy as np
import pytest

from export.finetune import rebuild
from tests.export.conftest import Tiny
from train.errors import ToolkitError


def test_the_copy_computes_what_the_model_does(tiny: Tiny) -> None:
    copy = rebuild(tiny.source.model)
    outputs = copy.predict(tiny.expected.inputs, verbose=0)
    assert np.allclose(outputs, tiny.expected.outputs, atol=1e-5)


def test_a_layer_that_cannot_be_rebuilt_is_named() -> None:
    image = keras.Input((8, 8, 1), name="image")
    model = keras.Model(image, keras.layers.Conv2DTranspose(2, 3, name="stem")(image))
    with pytest.raises(ToolkitError, match=r"layer 'stem' \(Conv2DTranspose\) cannot be rebuilt"):
        rebuild(model)


def test_targets_mix_the_teacher_and_the_labels(tiny: Tiny) -> None:
    inputs, targets = tiny.source.distillation(0.9)
    assert inputs.shape == (600, 28, 28)
    assert targets.shape == (600, 10)
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-5)
    outputs = tiny.source.outputs(inputs)
    label = (targets - 0.9 * outputs).argmax(axis=1)
    assert np.array_equal(label, np.arange(600) % 10)
