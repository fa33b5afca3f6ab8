"""Parts of sentences that can be said of one row, or once of several."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """A part of a sentence.

    Attributes:
        text: with a `{}` for each figure.
        figures: of one row.
    """

    text: str
    figures: tuple[object, ...] = ()

    def __str__(self) -> str:
        return self.text.format(*self.figures)


def merged(clauses: Sequence[Clause]) -> str:
    """Returns clauses of the same text as one, which lists the figures that differ."""
    figures = zip(*(clause.figures for clause in clauses), strict=True)
    return clauses[0].text.format(*(joined(list(map(str, slot))) for slot in figures))


def joined(names: Sequence[str]) -> str:
    """Returns names as a list that repeats no beginning: `tflite-int8, -float16`; equals once."""
    if len(set(names)) == 1:
        return names[0]
    parts = [name.split("-") for name in names]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    dash = "-" if shared else ""
    return ", ".join([names[0], *(dash + "-".join(part[shared:]) for part in parts[1:])])
