"""Shapes of inputs: what `--shape` fixes, and what stays open. Light: standard library."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from export.model.names import identifier
from export.model.request import Shape
from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec

EXAMPLE_SIZE = 224


class HasInputs(Protocol):
    """A model, of which only its inputs matter here."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, their shapes with None where any size fits."""


def given_shapes(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Returns the shapes that `--shape` gives, by the names that inputs get here."""
    return {identifier(name): shape for name, shape in shapes.items()}


def with_shapes(
    specs: Sequence[TensorSpec], shapes: Mapping[str, Shape], *, binding: bool = True
) -> tuple[TensorSpec, ...]:
    """Returns the inputs with the shapes that `--shape` gives.

    Args:
        specs: the inputs.
        shapes: the shapes given, by name.
        binding: whether the sizes in `specs` are the model's own, rather than those of the data
            that it happened to be called with.

    Raises:
        ToolkitError: a name is of no input, or a shape contradicts the input's.
    """
    given = given_shapes(shapes)
    names = [spec.name for spec in specs]
    for name in given:
        if name not in names:
            raise ToolkitError(
                f"got --shape for {name!r}, expected an input of the model: {', '.join(names)}"
            )
    return tuple(
        replace(spec, shape=_fixed(spec, given[spec.name], binding)) if spec.name in given else spec
        for spec in specs
    )


def _fixed(spec: TensorSpec, given: Shape, binding: bool) -> Shape:
    if len(given) != len(spec.shape):
        raise ToolkitError(
            f"got --shape {_option(spec.name, given)} of {len(given)} sizes, expected "
            f"{len(spec.shape)}: input {spec.name!r} is {_shown(spec.shape)}"
        )
    shape: list[int | None] = [None]
    for own, size in zip(spec.shape[1:], given[1:], strict=True):
        if binding and own is not None and size not in (own, None):
            raise ToolkitError(
                f"got --shape {_option(spec.name, given)}, expected only open sizes to differ: "
                f"input {spec.name!r} is {_shown(spec.shape)}"
            )
        shape.append(own if size is None else size)
    return tuple(shape)


def open_dimensions(model: HasInputs) -> str | None:
    """Returns what to say of an input that has open dimensions besides the batch, if one has."""
    for spec in model.inputs:
        if None in spec.shape[1:]:
            example = (1, *(EXAMPLE_SIZE if size is None else size for size in spec.shape[1:]))
            return (
                f"input {spec.name!r} is {_shown(spec.shape)}; "
                f"fix it with --shape {_option(spec.name, example)}"
            )
    return None


def _shown(shape: Shape) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"


def _option(name: str, shape: Shape) -> str:
    return f"{name}={','.join('?' if size is None else str(size) for size in shape)}"
