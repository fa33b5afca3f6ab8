"""The fields of a JSON object that a run wrote: garbled ones are refused, never guessed. Light."""

import json
import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from train.common.errors import ArtifactError

REMEDY = "give a file that `python -m benchmark` wrote, or run `python -m benchmark` again"
MAX_WHOLE = 2**53  # the largest that every JSON reader keeps exactly
MAX_CLASS = 2**31 - 1
MAX_MICROSECONDS = 1e15
MAX_SHOWN = 60


class Fields:
    """A JSON object, asked for its fields by kind."""

    def __init__(self, content: object, where: str) -> None:
        """Raises ArtifactError if `content` is no object; `where` is said in every error."""
        self._where = where
        if not isinstance(content, dict):
            raise self.wrong("", content, "an object")
        self.content: dict[str, Any] = content

    def wrong(self, name: str, found: object, expected: str) -> ArtifactError:
        """Returns the error that a field is not what was expected."""
        what = f"{name} {shown(found)}".lstrip()
        return ArtifactError(f"{self._where}: got {what}, expected {expected}; {REMEDY}")

    def inner(self, name: str) -> "Fields":
        """Returns a field that is an object itself."""
        return Fields(self._get(name), f"{self._where}: {name}")

    def text(self, name: str) -> str:
        """Returns a text, with a space for what a terminal would not print but obey."""
        found = self._get(name)
        if not isinstance(found, str):
            raise self.wrong(name, found, "a text")
        return printable(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns a list of texts."""
        found = self._list(name, lambda value: isinstance(value, str), "a list of texts")
        return tuple(map(printable, found))

    def whole(self, name: str, least: int = 0) -> int:
        """Returns a whole number of at least `least`."""
        found = self._get(name)
        if not _is_whole(found, MAX_WHOLE) or found < least:
            raise self.wrong(name, found, f"a whole number in {least}…2^53")
        return int(found)

    def optional_whole(self, name: str) -> int | None:
        """Returns a whole number that is not negative, or None."""
        return None if self._get(name) is None else self.whole(name)

    def classes(self, name: str) -> np.ndarray | None:
        """Returns a list of class numbers as (N,) int32, or None."""
        if self._get(name) is None:
            return None
        found = self._list(name, lambda value: _is_whole(value, MAX_CLASS), "a list of classes")
        return np.array(found, np.int32)

    def microseconds(self, name: str) -> np.ndarray:
        """Returns a list of durations as (N,) float64."""
        found = self._list(name, _is_duration, "a list of numbers above 0")
        return np.array(found, np.float64)

    def optional_microseconds(self, name: str) -> float | None:
        """Returns a duration, or None."""
        found = self._get(name)
        if found is not None and not _is_duration(found):
            raise self.wrong(name, found, "a number above 0 or null")
        return None if found is None else float(found)

    def optional_number(self, name: str) -> float | None:
        """Returns a finite number, or None."""
        found = self._get(name)
        if found is not None and (type(found) not in (int, float) or not math.isfinite(found)):
            raise self.wrong(name, found, "a number or null")
        return None if found is None else float(found)

    def flags(self, name: str) -> np.ndarray:
        """Returns a list of true and false as (N,) bool."""
        found = self._list(name, lambda value: isinstance(value, bool), "a list of true and false")
        return np.array(found, bool)

    def objects(self, name: str) -> list[object]:
        """Returns a list, whatever is in it."""
        return self._list(name, lambda value: True, "a list")

    def _get(self, name: str) -> Any:
        if name not in self.content:
            raise ArtifactError(f"{self._where} has no {name}; {REMEDY}")
        return self.content[name]

    def _list(self, name: str, fits: Callable[[Any], bool], expected: str) -> list[Any]:
        found = self._get(name)
        if not isinstance(found, list):
            raise self.wrong(name, found, expected)
        for value in found:
            if not fits(value):
                raise self.wrong(f"{name} with", value, expected)
        return found


def shown(value: object) -> str:
    """Returns a JSON value as a text of at most 60 characters, in ASCII but for its `…`."""
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def printable(text: str) -> str:
    """Returns a text with a space for each character that a terminal would not print but obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def _is_whole(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_duration(value: object) -> bool:
    return type(value) in (int, float) and 0 < cast(float, value) <= MAX_MICROSECONDS
