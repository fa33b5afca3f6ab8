"""The operators of an integer file that could be left in float, whatever the family."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Range:
    """What a quantized tensor can hold: lowest and highest value, and the step between values."""

    low: float
    high: float
    step: float


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator of an integer file.

    Attributes:
        name: what the converter leaves in float by it: the tensor that a `.tflite` operator
            writes, the name of an `.onnx` node.
        members: names of all that goes with it: an ONNX activation that is part of its range.
        kind: such as CONV_2D.
        output: the name of the tensor that it writes, in the float model too.
        inputs: the tensors that it reads and others make.
        constants: the largest absolute value of each constant that it reads besides weights.
        channel_axis: of its output; None where it has no channels.
        range: of its output; None where that is float.
        in_float: whether the file computes it in float.
        optional: whether the converter can be told to leave it in float.
        multiplications: products with weights, or of values with each other, for one example.
        weights: (channels, n) float32, its weights by output channel; None where it has none.
        stored_numbers: how many weights it has.
        per_tensor: whether one scale holds all of its weights.
    """

    name: str
    members: tuple[str, ...]
    kind: str
    output: str
    inputs: tuple[str, ...] = ()
    constants: tuple[float, ...] = ()
    channel_axis: int | None = None
    range: Range | None = None
    in_float: bool = False
    optional: bool = True
    multiplications: int = 0
    weights: np.ndarray | None = None
    stored_numbers: int = 0
    per_tensor: bool = False


@dataclass(frozen=True, kw_only=True)
class Probe:
    """An integer file beside its float model.

    Attributes:
        operators: of the file, in the order of execution.
        ranges: of its quantized tensors by name.
        exact: yields for each example the float model's values by tensor, and what each operator
            makes of these values, by tensor too.
        own: yields for each example the file's own values by tensor, as real numbers.
        layers: the names of layers by tensors that do not say it themselves.
    """

    operators: tuple[Operator, ...]
    ranges: Mapping[str, Range]
    exact: Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]
    own: Iterator[dict[str, np.ndarray]]
    layers: Mapping[str, str] = field(default_factory=dict)
