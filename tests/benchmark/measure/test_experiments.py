"""Inputs changed on purpose."""

import numpy as np

from benchmark.measure.experiments import changed_inputs

RANDOM = np.random.RandomState(0)


def test_changes_of_pictures() -> None:
    grey = RANDOM.rand(5, 8, 8).astype(np.float32)
    found = changed_inputs(grey)
    assert np.array_equal(found["transposed (axis order changed)"], grey.swapaxes(1, 2))
    assert len(found) == 5
    color = RANDOM.rand(5, 8, 6, 3).astype(np.float32)
    found = changed_inputs(color)
    assert np.array_equal(
        found["reversed in their channels (RGB and BGR swapped)"], color[..., ::-1]
    )
    assert not any("transposed" in name for name in found)
    assert all(values.dtype == np.float32 for values in found.values())
