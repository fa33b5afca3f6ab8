"""JSON objects → frozen dataclasses: a garbled field is refused by its name, never guessed.

A dataclass says by its annotations what each key holds, `Annotated[int, Between(1, 9)]` within
which bounds. A key may be absent where its field has a default, and keys without a field are left
alone.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
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

from train.common.command.terminal import printable
from train.common.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

MAX_WHOLE = 2**53  # the largest that every JSON reader keeps exactly
MAX_NUMBER = sys.float_info.max
MAX_SHOWN = 60

T = TypeVar("T")


@dataclass(frozen=True)
class Between:
    """The bounds of a number, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Array:
    """A list of plain values that becomes an array.

    Attributes:
        dtype: of the array.
        types: of its values in JSON.
        low, high: the least and the most.
        expected: what it is called.
    """

    dtype: str
    types: tuple[type, ...]
    low: float
    high: float
    expected: str


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_WHOLE


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -MAX_NUMBER <= value <= MAX_NUMBER


PLAIN: dict[object, tuple[Callable[[object], bool], str]] = {
    str: (lambda v: isinstance(v, str), "a text"),
    Path: (lambda v: isinstance(v, str), "a path"),
    bool: (lambda v: isinstance(v, bool), "true or false"),
    int: (_is_whole, "a whole number in 0…2^53"),
    float: (_is_number, "a number"),
}


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Decodes the content of one file.

    Attributes:
        remedy: what to do about a file that is garbled, said in every error.
        clean: what becomes of each text.
    """

    remedy: str
    clean: Callable[[str], str] = str

    def decode(self, kind: type[T], content: object, where: str) -> T:
        """Returns the dataclass that a JSON object holds.

        Args:
            kind: the dataclass.
            content: what was read.
            where: the file and the place in it, said in every error.

        Raises:
            ArtifactError: a key is missing or holds something else.
        """
        if not isinstance(content, dict):
            raise self.wrong(where, "", content, "an object")
        hints = get_type_hints(kind, include_extras=True)
        found = {}
        for field in fields(cast(Any, kind)):
            name = field.name
            if name in content:
                found[name] = self._value(hints[name], content[name], name, where)
            elif field.default is MISSING and field.default_factory is MISSING:
                raise ArtifactError(f"{where} has no {name}; {self.remedy}")
        return kind(**found)

    def wrong(self, where: str, name: str, found: object, expected: str) -> ArtifactError:
        """Returns the error that a field is not what was expected."""
        what = f"{_short(printable(name))} {shown(found)}".lstrip()
        return ArtifactError(f"{where}: got {what}, expected {expected}; {self.remedy}")

    def _value(self, hint: Any, found: Any, name: str, where: str) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if hint is Any:
            return found
        if origin in (Union, UnionType):
            return self._one_of(arguments, found, name, where)
        if origin is tuple:
            return self._tuple(arguments, found, name, where)
        if origin in (dict, Mapping):
            if not isinstance(found, dict):
                raise self.wrong(where, name, found, "an object")
            inner = f"{where}: {name}"
            return {
                self.clean(key): self._value(arguments[1], value, key, inner)
                for key, value in found.items()
            }
        if origin is Annotated:
            if isinstance(arguments[1], Array):
                return self._array(arguments[1], found, name, where)
            return self._between(arguments[0], arguments[1], found, name, where)
        if is_dataclass(hint):
            return self.decode(cast(type, hint), found, f"{where}: {name}")
        if origin is Literal:
            fits, expected = found in arguments, ", ".join(arguments)
        else:
            check, expected = PLAIN[hint]
            fits = check(found)
        if not fits:
            raise self.wrong(where, name, found, expected)
        if hint is Path:
            return Path(found)
        return self.clean(found) if isinstance(found, str) else found

    def _one_of(self, hints: tuple[Any, ...], found: Any, name: str, where: str) -> Any:
        """Returns a value of the first type that takes it."""
        if found is None and NoneType in hints:
            return None
        *others, last = (hint for hint in hints if hint is not NoneType)
        for hint in others:
            try:
                return self._value(hint, found, name, where)
            except ArtifactError:
                continue
        return self._value(last, found, name, where)

    def _between(self, hint: Any, bounds: Between, found: Any, name: str, where: str) -> Any:
        is_kind = type(found) is int or (hint is float and _is_number(found))
        if not is_kind or not bounds.low <= found <= bounds.high:
            kind = "a whole number" if hint is int else "a number"
            expected = f"{kind} in {bounds.low:.12g}…{bounds.high:.12g}"
            raise self.wrong(where, name, found, expected)
        return found

    def _array(self, kind: Array, found: Any, name: str, where: str) -> "np.ndarray":
        import numpy as np  # late: the command line parses what is decoded here

        def fit(values: list[Any]) -> bool:
            return not values or (
                set(map(type, values)) <= set(kind.types)
                and kind.low <= min(values)
                and max(values) <= kind.high
            )

        if not isinstance(found, list):
            raise self.wrong(where, name, found, kind.expected)
        if not fit(found):
            bad = next(value for value in found if not fit([value]))
            raise self.wrong(where, f"{name} with", bad, kind.expected)
        return np.array(found, kind.dtype)

    def _tuple(self, inner: tuple[Any, ...], found: Any, name: str, where: str) -> tuple[Any, ...]:
        """Returns a list of so many values, or of any number where `inner` ends in an ellipsis."""
        if not isinstance(found, list):
            raise self.wrong(where, name, found, "a list")
        if inner[-1] is Ellipsis:
            return tuple(
                self._value(inner[0], value, f"{name} {number}", where)
                for number, value in enumerate(found, start=1)
            )
        if len(found) != len(inner):
            raise self.wrong(where, name, found, f"a list of {len(inner)}")
        pairs = zip(inner, found, strict=True)
        return tuple(self._value(hint, value, name, where) for hint, value in pairs)


def shown(value: object) -> str:
    """Returns a JSON value as a text of at most 60 characters, in ASCII but for its `…`."""
    return _short(json.dumps(value))


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
