"""Real values and what a quantized tensor holds of them."""

import numpy as np

from export.runtimes.predict import decode, encode, encode_all
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


def test_examples_are_given_in_the_files_own_batch() -> None:
    values = {"x": np.arange(5, dtype=np.float32)}
    shapes = {
        batch: encode_all(values, [TensorSpec(name="x", shape=(batch,), dtype="float32")])
        for batch in (None, 1, 2)
    }
    assert [np.asarray(found).tolist() for found in shapes.values()] == [
        [[0], [1], [2], [3], [4]],
        [[0], [1], [2], [3], [4]],
        [[0, 1], [2, 3], [4, 4]],
    ]
