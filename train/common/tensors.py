"""Name, shape, dtype and quantization of a model's input or output."""

from dataclasses import dataclass
from typing import Annotated

from train.common.files.decode import MAX_WHOLE, Between

MIN_SCALE, MAX_SCALE = 1e-45, 3.5e38  # what float32 can hold


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output; a real value is `(quantized - zero_point) * scale`.

    `shape` has None where any size fits, the batch first; `scale` and `zero_point` are None for
    tensors that are not quantized.
    """

    name: str
    shape: tuple[Annotated[int, Between(1, MAX_WHOLE)] | None, ...]
    dtype: str
    scale: Annotated[float, Between(MIN_SCALE, MAX_SCALE)] | None = None
    zero_point: Annotated[int, Between(-(2**31), 2**31)] | None = None

    def __str__(self) -> str:
        quantization = "" if self.scale is None else f" scale {self.scale:g} zero {self.zero_point}"
        return f"{self.name} {shape_text(self.shape)} {self.dtype}{quantization}"

    @property
    def is_float(self) -> bool:
        """Whether it holds real numbers, as they are."""
        return self.dtype.startswith("float")

    @property
    def is_exact(self) -> bool:
        """Whether it holds indices, classes, or yes and no, which are the same or another.

        Integers of 8 and 16 bits, such as of a picture, are quantities.
        """
        return self.dtype in ("bool", "int32", "int64", "uint32", "uint64")


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Returns a shape as a user reads it, `?` where any size fits."""
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes}{',' if len(shape) == 1 else ''})"


def fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Returns whether an array's shape fits one in which None takes any size."""
    return len(shape) == len(expected) and all(
        size in (None, found) for found, size in zip(shape, expected, strict=True)
    )
