"""Names of tensors, and nested structures (dict, list, tuple) of them. Light: standard library.

A structure is what a Keras model takes or returns: a leaf, or a dict, list or tuple of structures.
"""

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Path = tuple[str | int, ...]
ONE_OUTPUT = "output"


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
