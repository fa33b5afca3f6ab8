"""JSON objects → frozen dataclasses: a garbled field is refused by its name, never guessed.

A dataclass says by its annotations what each key holds. A key may be absent where its field has
a default, and keys without a field are left alone.
"""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from train.common.errors import ArtifactError
from train.common.terminal import printable

REMEDY = "give a file that `python -m benchmark` wrote, or run `python -m benchmark` again"
MAX_WHOLE = 2**53  # the largest that every JSON reader keeps exactly
MAX_SHOWN = 60

T = TypeVar("T")


Classes = Annotated[np.ndarray, "classes"]
Durations = Annotated[np.ndarray, "durations"]
Flags = Annotated[np.ndarray, "flags"]
# The array's dtype, what its values are in JSON, the least and the most, and what it is called.
ARRAYS: dict[str, tuple[type[np.generic], set[type], float, float, str]] = {
    "classes": (np.int32, {int}, 0, 2**31 - 1, "a list of classes"),
    "durations": (np.float64, {int, float}, math.ulp(0.0), 1e15, "a list of numbers above 0"),
    "flags": (np.bool_, {bool}, 0, 1, "a list of true and false"),
}


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_WHOLE


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


PLAIN: dict[object, tuple[Callable[[object], bool], str]] = {
    str: (lambda v: isinstance(v, str), "a text"),
    bool: (lambda v: isinstance(v, bool), "true or false"),
    int: (_is_whole, "a whole number in 0…2^53"),
    float: (_is_number, "a number"),
}


def decode(kind: type[T], content: object, where: str) -> T:
    """Returns the dataclass that a JSON object holds.

    Args:
        kind: the dataclass.
        content: what was read.
        where: the file and the place in it, said in every error.

    Raises:
        ArtifactError: a key is missing or holds something else.
    """
    if not isinstance(content, dict):
        raise wrong(where, "", content, "an object")
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in fields(cast(Any, kind)):
        if field.name in content:
            found[field.name] = _value(hints[field.name], content[field.name], field.name, where)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ArtifactError(f"{where} has no {field.name}; {REMEDY}")
    return kind(**found)


def _value(hint: Any, found: Any, name: str, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):  # with None
        return None if found is None else _value(arguments[0], found, name, where)
    if origin is tuple:
        return _tuple(arguments, found, name, where)
    if origin is dict:
        if not isinstance(found, dict):
            raise wrong(where, name, found, "an object")
        inner = f"{where}: {name}"
        return {printable(key): _value(arguments[1], v, key, inner) for key, v in found.items()}
    if origin is Annotated:
        return _array(arguments[1], found, name, where)
    if is_dataclass(hint):
        return decode(cast(type, hint), found, f"{where}: {name}")
    if origin is Literal:
        fits, expected = found in arguments, ", ".join(arguments)
    else:
        check, expected = PLAIN[hint]
        fits = check(found)
    if not fits:
        raise wrong(where, name, found, expected)
    return printable(found) if isinstance(found, str) else found


def _array(kind: str, found: Any, name: str, where: str) -> np.ndarray:
    dtype, types, low, high, expected = ARRAYS[kind]

    def fit(values: list[Any]) -> bool:
        return not values or (
            set(map(type, values)) <= types and low <= min(values) and max(values) <= high
        )

    if not isinstance(found, list):
        raise wrong(where, name, found, expected)
    if not fit(found):
        bad = next(value for value in found if not fit([value]))
        raise wrong(where, f"{name} with", bad, expected)
    return np.array(found, dtype)


def _tuple(inner: tuple[Any, ...], found: Any, name: str, where: str) -> tuple[Any, ...]:
    """Returns a list of so many values, or of any number where `inner` ends in an ellipsis."""
    if not isinstance(found, list):
        raise wrong(where, name, found, "a list")
    if inner[-1] is Ellipsis:
        return tuple(
            _value(inner[0], value, f"{name} {number}", where)
            for number, value in enumerate(found, start=1)
        )
    if len(found) != len(inner):
        raise wrong(where, name, found, f"a list of {len(inner)}")
    return tuple(_value(hint, v, name, where) for hint, v in zip(inner, found, strict=True))


def wrong(where: str, name: str, found: object, expected: str) -> ArtifactError:
    """Returns the error that a field is not what was expected."""
    what = f"{name} {shown(found)}".lstrip()
    return ArtifactError(f"{where}: got {what}, expected {expected}; {REMEDY}")


def shown(value: object) -> str:
    """Returns a JSON value as a text of at most 60 characters, in ASCII but for its `…`."""
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
