"""Tensors of bare files are found whatever the converter called them."""

import numpy as np
import pytest

from tests.zoo.bare.matching import matched_outputs, pairs


def test_names_go_before_shapes_and_shapes_before_nothing() -> None:
    wanted = {"image": (None, 4), "weather": (None, 2)}
    assert pairs({"serving_default_weather:0": (-1, 2), "args_0": (1, 4)}, wanted) == {
        "image": "args_0",
        "weather": "serving_default_weather:0",
    }
    with pytest.raises(ValueError, match="is 'weather'"):
        pairs({"image": (1, 4)}, wanted)


def test_outputs_of_one_shape_are_told_apart_by_their_values() -> None:
    random = np.random.RandomState(0)
    reference = {name: random.normal(size=(9, 3)) for name in "ab"}
    given = {f"output_{n}": values + 0.01 for n, values in enumerate(reference.values())}
    found = matched_outputs(dict(reversed(given.items())), reference)
    assert list(found) == ["a", "b"]
    assert found["a"] is given["output_0"]
    assert found["b"] is given["output_1"]
