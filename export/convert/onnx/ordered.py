"""Keeps tf2onnx from going by the order of sets.

It keeps the names of a tensor's readers in sets, whose order is another one in each process, and
walks through graphs by them: which of two rewrites comes first, and what is folded, differs.
"""

import sys
from collections.abc import Generator, Iterable, Iterator, MutableSet
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

PACKAGE = "tf2onnx"


class InOrder(MutableSet[Any]):
    """A set whose order is the one that its items came in."""

    def __init__(self, items: Iterable[Any] = ()) -> None:
        """Takes the first items."""
        self._items = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: Any) -> None:
        """Adds an item, last if it is new."""
        self._items.setdefault(value)

    def discard(self, value: Any) -> None:
        """Removes an item if it is there."""
        self._items.pop(value, None)

    def update(self, *others: Iterable[Any]) -> None:
        """Adds the items of others."""
        for other in others:
            self._items.update(dict.fromkeys(other))

    def union(self, *others: Iterable[Any]) -> "InOrder":
        """Returns the items of this set and others."""
        found = InOrder(self)
        found.update(*others)
        return found

    def intersection(self, other: Iterable[Any]) -> "InOrder":
        """Returns the items that are in both."""
        return InOrder(item for item in other if item in self)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Returns whether another set has all items."""
        return self <= InOrder(other)


@contextmanager
def sets_in_order() -> Generator[None]:
    """Makes every `set(…)` that tf2onnx makes an ordered one."""
    with ExitStack() as patches:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == PACKAGE and module is not None:
                patches.enter_context(mock.patch.object(module, "set", InOrder, create=True))
        yield
