"""Real factors as LiteRT's kernels hold them: 31 bits and a power of two.

Source: QuantizeMultiplier in tensorflow/lite/kernels/internal/quantization_util.cc and
CalculateActivationRangeQuantized in tensorflow/lite/kernels/kernel_util.cc.
"""

import math

import numpy as np

from export.deploy.c.network import NoKernelError, Tensor

ACTIVATIONS = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}


def factor(real: float) -> tuple[int, int]:
    """Returns (multiplier, shift): `real` is multiplier * 2^(shift - 31)."""
    if real == 0:
        return 0, 0
    share, shift = math.frexp(real)
    multiplier = math.floor(share * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def limits(activation: int, output: Tensor) -> tuple[int, int]:
    """Returns the least and the largest stored value that an activation of TFLite's lets through.

    Raises:
        NoKernelError: no kernel here has such an activation.
    """
    if activation not in ACTIVATIONS:
        raise NoKernelError(f"there is no kernel with fused activation {activation}")
    least, most = ACTIVATIONS[activation]
    low, high = (-32768, 32767) if output.dtype == "int16" else (-128, 127)
    if least is not None:
        low = max(low, _stored(least, output))
    if most is not None:
        high = min(high, _stored(most, output))
    return low, high


def _stored(value: float, output: Tensor) -> int:
    real = np.float32(value) / np.float32(output.scale)
    return output.zero_point + int(math.copysign(math.floor(abs(float(real)) + 0.5), real))
