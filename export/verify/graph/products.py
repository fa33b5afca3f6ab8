"""The operators that multiply by stored weights, and what the weights say of a graph."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np

# Operators of either family that multiply by weights, or values by each other, and which of their
# inputs are the weights. Each layer's roundings add to the last one's.
PRODUCTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "FULLY_CONNECTED"), (1,)),
    **dict.fromkeys(("TRANSPOSE_CONV", "Conv", "ConvTranspose", "ConvInteger"), (1,)),
    **dict.fromkeys(("BATCH_MATMUL", "Gemm", "MatMul", "MatMulInteger", "Einsum"), (0, 1)),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), (1, 2)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tuple(range(1, 9)),  # of the input and of the state, by gates
}
# Those that look rows up in a stored table, and which of their inputs that is.
TABLES = {"GATHER": 0, "EMBEDDING_LOOKUP": 1, "Gather": 0}
# Those whose weights every format quantizes, if they are large enough for the runtime's kernels.
DENSE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "Conv", "Gemm", "MatMul")
INTEGER = ("ConvInteger", "MatMulInteger")  # ONNX's, of ranges found at run time
FUSED = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)  # which has none of 4 bits
MIN_QUANTIZED = 1024  # numbers; TFLite's dynamic range leaves smaller weights in float
# ONNX's operators for recurrent layers. Their weights, and those in loops, are stored in 8 bits but
# computed with in float.
RECURRENT = ("LSTM", "GRU", "RNN")
MIN_LOOPED = 64  # numbers; smaller ones stay in float


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Stored weights that an operator multiplies by.

    Attributes:
        key: the same for the same weights, wherever they are stored.
        size: how many numbers they are.
        dtype: as they are stored.
        operator: its name.
        activations: the dtype of what they are multiplied with; `dynamic` where that is float, and
            turned to integers for the product.
        looped: whether they are read at each step of a loop, or of a recurrent operator.
    """

    key: Hashable
    size: int
    dtype: str
    operator: str
    activations: str
    looped: bool = False


def precisions(found: Iterable[Weights]) -> tuple[Counter[str], Counter[str]]:
    """Returns how many weights of layers are stored in each dtype, and what dense ones multiply.

    Small ones, and those that several operators read, as of recurrent layers written out, are left
    out: runtimes have no integer kernels for some of them.

    Returns:
        The numbers by the dtype they are stored in, and the layers by that of their inputs.
    """
    large = [each for each in found if each.operator in (*DENSE, *INTEGER, *RECURRENT)]
    readers = Counter(weights.key for weights in large)
    numbers: Counter[str] = Counter()
    layers: Counter[str] = Counter()
    for weights in large:
        if readers[weights.key] == 1 and weights.size >= MIN_QUANTIZED:
            numbers[weights.dtype] += weights.size
            layers[weights.activations] += not weights.looped
    return numbers, layers


def unpacked(raw: np.ndarray, count: int) -> np.ndarray:
    """Returns 4-bit weights, two per byte with the first in the lower bits, as int8 (count,)."""
    pairs = np.stack([raw << 4, raw & 0xF0], axis=-1).reshape(-1)[:count]
    return np.asarray(pairs.view(np.int8) >> 4)
