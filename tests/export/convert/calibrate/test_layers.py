"""What layers give, watched as they are called."""

import keras
import numpy as np
import pytest

from export.convert.calibrate import layers as watched
from export.convert.calibrate.layers import has_layers, layer_outputs

pytestmark = pytest.mark.slow  # it imports TensorFlow


def test_layers_of_models_within_are_watched_call_by_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "MOST_BYTES", 300)  # of four examples and not six
    inner = keras.Input((2,), name="pair")
    base = keras.Model(inner, keras.layers.ReLU(name="relu")(inner), name="base")
    head = keras.Sequential([keras.layers.Rescaling(2, name="double")], name="head")
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    model = keras.Model({"left": left, "right": right}, head(base(left)) + base(right))
    values = np.random.RandomState(0).normal(size=(2, 5, 2)).astype(np.float32)
    parts = [*layer_outputs(model, dict(zip(("left", "right"), values, strict=True)))]
    assert [len(part["left"]) for part in parts] == [4, 1]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    assert {*found} == {
        *("left", "right", "base:0:0", "base:1:0", "base/relu:0:0", "base/relu:1:0"),
        *("head:0:0", "head/double:0:0"),
    }
    above = np.maximum(values, 0)
    for call in (0, 1):
        np.testing.assert_array_equal(found[f"base/relu:{call}:0"], above[call])
    np.testing.assert_array_equal(found["head/double:0:0"], 2 * above[0])


def test_a_layer_is_no_model() -> None:
    assert not has_layers(keras.layers.Dense(2))
