"""Real values and what a quantized tensor holds of them."""

import numpy as np

from export.runtimes.predict import decode, encode
from train.common.tensors import TensorSpec

SPEC = TensorSpec(name="x", shape=(None,), dtype="int8", scale=0.5, zero_point=-10)


def test_values_are_rounded_to_the_nearest_step_and_held_at_the_ends_of_the_range() -> None:
    real = np.array([0, 0.2, 0.3, -0.2, -0.3, 68.5, 69, 1e6, -59, -60, -1e6], np.float32)
    stored = encode(real, SPEC)
    assert stored.dtype == np.int8
    assert stored.tolist() == [-10, -10, -9, -10, -11, 127, 127, 127, -128, -128, -128]
    assert decode(stored, SPEC).tolist() == [
        *(0, 0, 0.5, 0, -0.5),
        *(68.5, 68.5, 68.5, -59, -59, -59),
    ]
