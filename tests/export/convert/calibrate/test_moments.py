"""What convolutions' kernels lie on."""

import keras
import numpy as np
import pytest

from export.convert.calibrate.moments import POSITIONS, Window, patches

PADS = {"same": None, "valid": ((0, 0), (0, 0))}


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_patches_are_what_a_kernel_lies_on(padding: str, strides: int, dilation: int) -> None:
    given = np.random.RandomState(0).random_sample((1, 9, 8, 3)).astype(np.float32)
    layer = keras.layers.Conv2D(
        4, (3, 2), strides, padding, dilation_rate=dilation, use_bias=False, activation=None
    )
    wanted = np.asarray(layer(given))[0].reshape(-1, 4)
    window = Window(
        size=(3, 2),
        strides=(strides, strides),
        dilation=(dilation, dilation),
        pads=PADS[padding],
    )
    found = patches(given, window, np.random.RandomState(0))
    made = found.reshape(len(found), -1) @ layer.get_weights()[0].reshape(-1, 4)
    assert len(found) == min(len(wanted), POSITIONS)
    # some positions, in any order
    apart = np.abs(made[:, np.newaxis] - wanted).max(axis=-1).min(axis=1)
    np.testing.assert_allclose(apart, 0, atol=1e-5)
