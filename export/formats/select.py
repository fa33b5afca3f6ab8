"""Formats by the names that a user gives them."""

import difflib
from collections.abc import Collection, Iterable

from export.formats.table import FORMATS, Format
from train.common.errors import ToolkitError

ALIASES = {"tflite": "tflite-float32", "onnx": "onnx-float32"}
ALL = "all"  # but for mixed formats, which search where plain ones lose too much


def split_names(requests: Iterable[str]) -> list[str]:
    """Returns the names in requests, each of which may be several joined by commas."""
    return [name.strip() for request in requests for name in request.split(",") if name.strip()]


def select_formats(requests: Iterable[str], besides: Collection[str] = ()) -> list[Format]:
    """Returns the formats asked for, each once, in the table's order.

    Args:
        requests: names, aliases or `all`, each possibly several joined by commas.
        besides: names that are known, though they are no formats of the table.

    Raises:
        ToolkitError: a name is unknown (the closest one is named) or none was given.
    """
    names = split_names(requests)
    if not names:
        raise ToolkitError(f"no format given; expected {ALL} or any of {', '.join(FORMATS)}")
    chosen: set[str] = set()
    for name in names:
        if name == ALL:
            chosen.update(name for name, entry in FORMATS.items() if not entry.mixed)
        elif ALIASES.get(name, name) in FORMATS:
            chosen.add(ALIASES.get(name, name))
        elif name not in besides:
            known = [*FORMATS, *ALIASES, ALL, *besides]
            close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ToolkitError(
                f"unknown format {name!r}; {hint}`python -m export --list` shows them all"
            )
    return [entry for entry in FORMATS.values() if entry.name in chosen]
