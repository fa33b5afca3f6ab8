"""What computes the steps of a loop: operators of float32, or of 16 bits where ranges are known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.recurrent.description import Activation, Cell
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder
from export.convert.tflite.recurrent.ranges import Ranges

HIGHEST = 32767
ROOM = 2.0  # beyond what calibration examples need, as others lie outside: one bit of sixteen
UNIT = 1 / 32768  # what 16-bit kernels of tanh and of the logistic function give results in
FUSED = schema.ActivationFunctionType
BIAS_TYPE = TYPES.INT64  # of products of 16 and 8 bits, in LiteRT and TFLM


class Body:
    """Arithmetic of `equations.step` that makes operators, whose results are tensors (batch, n)."""

    def __init__(self, builder: Builder, batch: int, ranges: Ranges | None, weights: int) -> None:
        self._on, self._batch, self._ranges, self._place = builder, batch, ranges, 0
        self._weight_type = weights

    @property
    def dtype(self) -> int:
        """The type of what it computes with."""
        return int(TYPES.FLOAT32 if self._ranges is None else TYPES.INT16)

    def scale(self, number: int) -> float | None:
        """Returns the unit of a result of the step."""
        if self._ranges is None:
            return None
        return max(ROOM * self._ranges.results[number], UNIT) / HIGHEST

    def dense(self, x: int, weights: np.ndarray, bias: np.ndarray) -> int:
        """Returns x times weights, and biases added."""
        on, unit = self._on, 1.0
        stored = on.weights(weights, self._weight_type)
        if self._ranges is None:
            biases = on.constant(bias, TYPES.FLOAT32)
        else:
            unit = on.scale_of(x)[0] * on.scale_of(stored)[0]
            biases = on.constant(np.rint(bias / unit), BIAS_TYPE, unit)
        return self._result(
            CODES.FULLY_CONNECTED,
            [x, stored, biases],
            weights.shape[1],
            keepNumDims=False,
            asymmetricQuantizeInputs=self._ranges is None and self._weight_type == TYPES.INT8,
        )

    def split(self, x: int, parts: int) -> list[int]:
        """Returns equal parts of x."""
        on, width = self._on, self._on.shape_of(x)[1] // parts
        scale = None if self._ranges is None else on.scale_of(x)[0]
        found = [on.tensor([self._batch, width], self.dtype, scale) for _ in range(parts)]
        on.add(CODES.SPLIT, [on.constant(1, TYPES.INT32), x], found, numSplits=parts)
        return found

    def add(self, x: int, y: int) -> int:
        """Returns x + y."""
        return self._sum(CODES.ADD, x, y)

    def subtract(self, x: int, y: int) -> int:
        """Returns x - y."""
        return self._sum(CODES.SUB, x, y)

    def multiply(self, x: int, y: int) -> int:
        """Returns x y."""
        return self._result(CODES.MUL, [x, y], self._on.shape_of(x)[1])

    def activate(self, x: int, activation: Activation) -> int:
        """Returns an activation of x."""
        width = self._on.shape_of(x)[1]
        if activation.name in ("tanh", "sigmoid"):
            code = CODES.TANH if activation.name == "tanh" else CODES.LOGISTIC
            return self._result(code, [x], width, UNIT)
        if activation.name == "linear":
            self._place += 1
            return x
        if activation.name == "relu":
            return self._sum(CODES.ADD, x, self._number(0.0), FUSED.RELU)
        # a line between 0 and 1 is a sixth of one between 0 and 6, which operators cut off at
        slope, at_zero = 6 * (activation.alpha or 0), 6 * (activation.beta or 0)
        largest = None
        if self._ranges is not None:
            largest = self._on.scale_of(x)[0] * slope
        line = self._on.tensor([self._batch, width], self.dtype, largest)
        self._on.add(CODES.MUL, [x, self._number(slope)], [line])
        cut = self._on.tensor(
            [self._batch, width], self.dtype, None if largest is None else 6 / HIGHEST
        )
        self._on.add(
            CODES.ADD,
            [line, self._number(at_zero)],
            [cut],
            fusedActivationFunction=FUSED.RELU6,
            potScaleInt16=False,
        )
        return self._result(CODES.MUL, [cut, self._number(1 / 6)], width)

    def _number(self, value: float) -> int:
        if self._ranges is None:
            return self._on.constant([[value]], TYPES.FLOAT32)
        scale = max(abs(value), UNIT) / HIGHEST
        return self._on.constant([[round(value / scale)]], TYPES.INT16, scale)

    def _sum(self, code: int, x: int, y: int, fused: int = FUSED.NONE) -> int:
        return self._result(
            code,
            [x, y],
            self._on.shape_of(x)[1],
            fusedActivationFunction=fused,
            potScaleInt16=False,
        )

    def _result(
        self,
        code: int,
        inputs: Sequence[int],
        width: int,
        unit: float | None = None,
        **options: Any,
    ) -> int:
        scale = self.scale(self._place)
        if unit is not None and scale is not None:
            scale = unit
        self._place += 1
        result = self._on.tensor([self._batch, width], self.dtype, scale)
        self._on.add(code, inputs, [result], **options)
        return result


def state_scales(cell: Cell, ranges: Ranges) -> list[float]:
    """Returns the units of the states between steps."""
    found = [max(ROOM * ranges.results[number], UNIT) / HIGHEST for number in ranges.states]
    activation = cell.activation.name
    if cell.kind == "simple" and activation in ("tanh", "sigmoid"):
        found[0] = UNIT
    return found
