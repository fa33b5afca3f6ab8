"""What a model takes and returns: names, nested structures (dict, list, tuple) and shapes.

A structure is what a Keras model takes or returns: a leaf, or a dict, list or tuple of structures.
"""

import keyword
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from export.model.request import Shape
from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec, shape_text

Path = tuple[str | int, ...]
ONE_OUTPUT = "output"
EXAMPLE_SIZE = 224
NEXT = "_next"  # behind the name of a state before a call: an output, that state after the call


def identifier(text: str) -> str:
    """Returns text as an identifier of letters, digits and underscores, not led by the latter.

    TensorFlow takes arguments by name only if Python would, and names no operator `_…`.
    """
    name = re.sub(r"\W", "_", text, flags=re.ASCII).lstrip("_") or "tensor"
    if name[0].isdigit():
        name = f"tensor_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> tuple[str, ...]:
    """Returns the names as identifiers, each once and none of them in `taken`."""
    found: list[str] = list(taken)
    count = len(found)
    for name in map(identifier, names):
        candidate, number = name, 0
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return tuple(found[count:])


def flatten(
    structure: Any, is_leaf: Callable[[Any], bool] = lambda _: False, path: Path = ()
) -> list[tuple[Path, Any]]:
    """Returns the leaves with their paths, the keys of dicts in sorted order, as Keras does."""
    if not is_leaf(structure):
        items: Iterable[tuple[Any, Any]] | None = None
        if isinstance(structure, Mapping):
            items = sorted(structure.items())
        elif isinstance(structure, list | tuple):
            items = enumerate(structure)
        if items is not None:
            return [leaf for key, item in items for leaf in flatten(item, is_leaf, (*path, key))]
    return [(path, structure)]


def fill(
    structure: Any,
    leaves: Iterable[Any],
    is_leaf: Callable[[Any], bool] = lambda _: False,
) -> Any:
    """Returns the structure with its leaves replaced, in the order of `flatten`."""
    remaining = iter(leaves)

    def replaced(part: Any) -> Any:
        if not is_leaf(part):
            if isinstance(part, Mapping):
                return {key: replaced(item) for key, item in sorted(part.items())}
            if isinstance(part, tuple) and hasattr(part, "_fields"):
                return type(part)(*map(replaced, part))
            if isinstance(part, list | tuple):
                return type(part)(map(replaced, part))
        return next(remaining)

    return replaced(structure)


def path_name(path: Path, prefix: str) -> str:
    """Returns a name for a leaf: the keys to it, after a prefix where they are mere numbers."""
    if not path or isinstance(path[0], int):
        path = (prefix, *path)
    return "_".join(map(str, path))


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


def handed_on(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> list[str]:
    """Returns the names of inputs that are states: the next call gets what one returns of them."""
    returned = {spec.name for spec in outputs}
    return [spec.name for spec in inputs if f"{spec.name}{NEXT}" in returned]


def of_batch(specs: Sequence[TensorSpec], batch: int | None) -> tuple[TensorSpec, ...]:
    """Returns inputs or outputs with the batch that a model declares, None for any."""
    return tuple(replace(spec, shape=(batch, *spec.shape[1:])) for spec in specs)


def _fixed(spec: TensorSpec, given: Shape, binding: bool) -> Shape:
    if len(given) != len(spec.shape):
        raise ToolkitError(
            f"got --shape {_option(spec.name, given)} of {len(given)} sizes, expected "
            f"{len(spec.shape)}: input {spec.name!r} is {shape_text(spec.shape)}"
        )
    shape: list[int | None] = [None]
    for own, size in zip(spec.shape[1:], given[1:], strict=True):
        if binding and own is not None and size not in (own, None):
            raise ToolkitError(
                f"got --shape {_option(spec.name, given)}, expected only open sizes to differ: "
                f"input {spec.name!r} is {shape_text(spec.shape)}"
            )
        shape.append(own if size is None else size)
    return tuple(shape)


def open_dimensions(inputs: Sequence[TensorSpec]) -> str | None:
    """Returns what to say of an input that has open dimensions besides the batch, if one has."""
    for spec in inputs:
        if None in spec.shape[1:]:
            example = (1, *(EXAMPLE_SIZE if size is None else size for size in spec.shape[1:]))
            return (
                f"input {spec.name!r} is {shape_text(spec.shape)}; "
                f"fix it with --shape {_option(spec.name, example)}"
            )
    return None


def _option(name: str, shape: Shape) -> str:
    return f"{name}={','.join('?' if size is None else str(size) for size in shape)}"
