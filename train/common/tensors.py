"""Name, shape, dtype and quantization of a model's input or output."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output; a real value is `(quantized - zero_point) * scale`.

    `shape` has None where any size fits, the batch first; `scale` and `zero_point` are None for
    tensors that are not quantized.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def __str__(self) -> str:
        quantization = "" if self.scale is None else f" scale {self.scale:g} zero {self.zero_point}"
        return f"{self.name} {shape_text(self.shape)} {self.dtype}{quantization}"

    @property
    def is_float(self) -> bool:
        """Whether it holds real numbers, as they are."""
        return self.dtype.startswith("float")


def spec_from_json(fields: Mapping[str, Any]) -> TensorSpec:
    """Returns the spec that `dataclasses.asdict` and JSON made an object of.

    Raises:
        KeyError, TypeError, ValueError: it is something else, or its scale is not positive.
    """
    spec = TensorSpec(**{**fields, "shape": tuple(fields["shape"])})
    if spec.scale is not None and not (math.isfinite(spec.scale) and spec.scale > 0):
        raise ValueError(f"the scale of {spec.name}")
    return spec


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Returns a shape as a user reads it, `?` where any size fits."""
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes}{',' if len(shape) == 1 else ''})"


def fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Returns whether an array's shape fits one in which None takes any size."""
    return len(shape) == len(expected) and all(
        size in (None, found) for found, size in zip(shape, expected, strict=True)
    )
