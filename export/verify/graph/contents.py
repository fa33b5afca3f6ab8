"""What is inside an exported file: operators, which of them compute in float, stored weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from export.verify.graph.products import Weights

# The operator that only exists because a dimension is not fixed, with STRIDED_SLICE and PACK after
# it; without it those two are the model's own.
SHAPE_ARITHMETIC = ("SHAPE",)
# TFLite's operators that have values of an earlier call, unless something sets them back.
STATEFUL = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "VAR_HANDLE")


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A model's graph in the order of execution.

    Attributes:
        operators: their names.
        float_operators: those that compute in float where an integer model should not.
        float_tail: those of a `.tflite` file that put its float outputs together.
        foreign_operators: those that the plain runtime lacks (Select-TF, custom).
        depth: how many distinct layers with weights are in series.
        kernels: the stored weights of matrix products, of the dtype they are stored in.
        weights, activations: as `products.precisions` has them.
        products: what is multiplied by, and tables that rows are looked up in, each once.
        channels: how many channels of a `.tflite` file have a scale, a zero point and a bias.
        between: operators of an `.onnx` file that compute in float between quantized ones.
        stored_bytes: of all constants that something reads.
        inner_operators: how many more an `.onnx` file has in the bodies of loops and branches.
    """

    operators: tuple[str, ...]
    float_operators: tuple[str, ...]
    foreign_operators: tuple[str, ...]
    depth: int
    kernels: tuple[np.ndarray, ...]
    weights: Mapping[str, int] = field(default_factory=dict)
    activations: Mapping[str, int] = field(default_factory=dict)
    float_tail: tuple[str, ...] = ()
    products: tuple[Weights, ...] = ()
    channels: int = 0
    between: tuple[str, ...] = ()
    stored_bytes: int = 0
    inner_operators: int = 0
